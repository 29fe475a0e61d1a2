"""Recomputations in the background: a batch of tickets at a time, so that they are resumed where a process died."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from plazo.runtime.database import OUTAGE
from plazo.runtime.unit_of_work import SystemWork, Transaction
from sla_clock.repository import desks, recomputations, tickets
from sla_clock.repository.recomputations import Claimed, Outcome, Recomputation
from sla_clock.repository.tickets import Ticket
from sla_clock.usecases.announce_changes import find_changes, tell_changes
from sla_clock.usecases.recompute_tickets import show_changed

log = structlog.get_logger(__name__)

BATCH = 250
_NAMED_AT_ONCE = 10_000


async def work_off(work: SystemWork, *, desk_id: UUID | None = None) -> bool:
    """Recompute the next tickets of the oldest recomputation, of one desk or any; false if there is none.

    A ticket that cannot be recomputed is set aside as failed, alone, and the error logged.
    """
    try:
        return await _take_batch(work, desk_id=desk_id, size=BATCH)
    except OUTAGE:
        raise
    except Exception:
        log.exception("recomputation_failed")
    try:
        return await _take_batch(work, desk_id=desk_id, size=1)
    except OUTAGE:
        raise
    except Exception:
        log.exception("ticket_not_recomputed")
        async with work.begin() as tx:
            taken = await recomputations.take_unfinished(tx.connection, desk_id=desk_id)
            if taken is not None:
                claimed = await recomputations.claim_tickets(tx.connection, taken.recomputation_id, limit=1)
                failed = [Outcome(one.ticket.ticket_id, "failed", one.before_version) for one in claimed]
                await recomputations.settle_tickets(tx.connection, taken, failed)
        return True


async def _take_batch(work: SystemWork, *, desk_id: UUID | None, size: int) -> bool:
    async with work.begin() as tx:
        taken = await recomputations.take_unfinished(tx.connection, desk_id=desk_id)
        if taken is None:
            return False
        tx.now = await desks.hold_present(tx.connection, taken.desk_id) or tx.now
        claimed = await recomputations.claim_tickets(tx.connection, taken.recomputation_id, limit=size)
        if claimed:
            await _recompute(tx, taken, claimed, at=tx.now)
        if len(claimed) < size and not (taken.is_named or taken.is_undone):
            await recomputations.name_more(tx.connection, taken.recomputation_id, limit=_NAMED_AT_ONCE)
        elif len(claimed) < size:
            await recomputations.finish(tx.connection, taken.recomputation_id, at=tx.now)
    return True


async def recompute_first(tx: Transaction, due: Sequence[Ticket], *, at: datetime) -> list[Ticket]:
    """Recompute, out of their turn, those of some locked tickets that a running recomputation will come to.

    So that no promise is broken by terms that do not hold any more. Return the tickets as they are now.
    """
    awaited: dict[UUID, tuple[Recomputation, list[Claimed]]] = {}
    tickets_by_id = {ticket.ticket_id: ticket for ticket in due}
    for ticket_id, taken in await recomputations.list_awaited(tx.connection, list(tickets_by_id)):
        ticket = tickets_by_id[ticket_id]
        claimed = Claimed(ticket, ticket.version_in_force)
        awaited.setdefault(taken.recomputation_id, (taken, []))[1].append(claimed)
        tickets_by_id[ticket_id] = replace(ticket, terms_version=taken.to_version)
    for taken, claimed_tickets in awaited.values():
        await _recompute(tx, taken, claimed_tickets, at=at)
    return list(tickets_by_id.values())


async def _recompute(tx: Transaction, taken: Recomputation, claimed: Sequence[Claimed], *, at: datetime) -> None:
    """Let the version hold that is asked for, or that held before; announce and keep what comes of it."""
    outcomes: list[Outcome] = []
    wanted: dict[str, list[Claimed]] = {}
    for one in claimed:
        if _applies(taken, one):
            wanted.setdefault(one.before_version if taken.is_undone else taken.to_version, []).append(one)
        else:
            state = "kept" if taken.is_undone else "skipped"
            outcomes.append(Outcome(one.ticket.ticket_id, state, one.before_version))
    for version, of_version in wanted.items():
        await tickets.change_terms(tx.connection, [one.ticket.ticket_id for one in of_version], version=version, at=at)
        asked = [(replace(one.ticket, terms_version=version), at) for one in of_version]
        found = await find_changes(tx.connection, asked, detected_at=tx.now)
        await tell_changes(tx, found, at=at)
        for one, changes in zip(of_version, found, strict=True):
            ticket_id, before_version = one.ticket.ticket_id, one.before_version
            if taken.is_undone:
                outcomes.append(Outcome(ticket_id, "undone", before_version))
            else:
                shown = show_changed(one.ticket, changes.before, changes.after)
                outcomes.append(Outcome(ticket_id, "applied", before_version, shown))
    await recomputations.settle_tickets(tx.connection, taken, outcomes)


def _applies(taken: Recomputation, one: Claimed) -> bool:
    """Whether a ticket is still open and under the version that it was under when it was named."""
    expected = taken.to_version if taken.is_undone else one.before_version
    return not one.ticket.is_closed and one.ticket.version_in_force == expected
