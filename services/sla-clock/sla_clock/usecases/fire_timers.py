"""Timers whose instant has come: clocks move on, and whoever asked is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from plazo.runtime.database import OUTAGE
from plazo.runtime.unit_of_work import SystemWork, Transaction
from sla_clock.repository import timers
from sla_clock.repository.timers import DueTimer
from sla_clock.usecases.announce_changes import announce_changes
from sla_clock.usecases.request_timer import announce_timer
from sla_clock.usecases.work_off_recomputations import recompute_first

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fired:
    """What was fired: the instants at which it was due, and the next one as far as is known.

    `is_more`: more may be due; `is_busy`: a timer past due is being fired by another, or its ticket is being changed.
    """

    due_at: tuple[datetime, ...]
    next_due_at: datetime | None
    is_more: bool
    is_busy: bool


async def fire_live_timers(work: SystemWork) -> Fired:
    """Fire a batch of what is due in live desks, oldest first.

    What was planned is carried out in one statement; where nothing was planned the tickets are folded now. If one
    cannot be fired, it alone is set aside, and the error logged.
    """
    async with work.single() as connection:
        done = await timers.carry_out_plans(connection, now=work.clock.now())
    if done.fired:
        work.wake_relay()
    folded = await _fold_and_fire(work) if done.unplanned else []
    return Fired((*done.fired, *folded), done.next_due_at, is_more=done.is_full, is_busy=done.is_busy)


async def _fold_and_fire(work: SystemWork) -> list[datetime]:
    try:
        async with work.begin() as tx:
            due = await timers.claim_live(tx.connection, now=tx.now, limit=timers.BATCH)
            await fire(tx, due, at=tx.now)
    except OUTAGE:
        raise
    except Exception:
        log.exception("timers_failed")
        fired: list[datetime] = []
        while len(fired) < timers.BATCH and (due_at := await _fire_one(work)):
            fired.append(due_at)
        return fired
    return [timer.due_at for timer in due]


async def _fire_one(work: SystemWork) -> datetime | None:
    due: list[DueTimer] = []
    try:
        async with work.begin() as tx:
            due = await timers.claim_live(tx.connection, now=tx.now, limit=1)
            await fire(tx, due, at=tx.now)
    except OUTAGE:
        raise
    except Exception:
        log.exception("timer_failed", timers=[str(timer.timer_id) for timer in due])
        async with work.begin() as tx:
            for timer in due:
                await timers.mark_failed(tx.connection, timer.timer_id)
    return due[0].due_at if due else None


async def count_past_due(work: SystemWork) -> int:
    """Count the live timers that are past due and not fired, those set aside as failed among them."""
    async with work.single() as connection:
        return await timers.count_past_due(connection, now=work.clock.now())


async def fire_desk_timers(tx: Transaction, *, at: datetime) -> int:
    """Fire all that is due by `at` in the transaction's sandbox desk; return what that told."""
    told = 0
    while due := await timers.claim_of_desk(tx.connection, until=at):
        told += await fire(tx, due, at=at)
    return told


async def fire(tx: Transaction, due: Sequence[DueTimer], *, at: datetime) -> int:
    """Fire claimed timers; return how many warnings, breaches and requested instants were told."""
    requested = [timer for timer in due if timer.requested_by is not None]
    for timer in requested:
        announce_timer(tx, timer)
    await timers.mark_fired(tx.connection, [timer.timer_id for timer in requested])
    of_clocks = await recompute_first(tx, [timer.ticket for timer in due if timer.requested_by is None], at=at)
    told = await announce_changes(tx, of_clocks, at=at) if of_clocks else 0
    return told + len(requested)
