"""Recomputations in the background: a batch of tickets at a time, so that they are resumed where a process died."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from plazo.runtime.database import OUTAGE
from plazo.runtime.unit_of_work import SystemWork, Transaction
from sla_clock.domain.facts import Fact
from sla_clock.domain.recomputation import recount, terms_change
from sla_clock.repository import desks, recomputations, tickets
from sla_clock.repository.recomputations import Claimed, Outcome, Recomputation
from sla_clock.repository.tickets import Ticket
from sla_clock.usecases.announce_changes import announce_changes
from sla_clock.usecases.recompute_tickets import show_changes

log = structlog.get_logger(__name__)

BATCH = 250
_AT_ONCE = 25  # folding is pure computing: then others in this process get their turn


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
                failed = [Outcome(one.ticket.ticket_id, "failed", None) for one in claimed]
                await recomputations.settle_tickets(tx.connection, taken.recomputation_id, failed)
        return True


async def _take_batch(work: SystemWork, *, desk_id: UUID | None, size: int) -> bool:
    async with work.begin() as tx:
        taken = await recomputations.take_unfinished(tx.connection, desk_id=desk_id)
        if taken is None:
            return False
        tx.now = await desks.hold_present(tx.connection, taken.desk_id) or tx.now
        claimed = await recomputations.claim_tickets(tx.connection, taken.recomputation_id, limit=size)
        if claimed:
            outcomes = await _recompute(tx, taken, claimed, at=tx.now)
            await recomputations.settle_tickets(tx.connection, taken.recomputation_id, outcomes)
        if len(claimed) < size:
            await recomputations.finish(tx.connection, taken.recomputation_id, at=tx.now)
    return True


async def _recompute(
    tx: Transaction, taken: Recomputation, claimed: Sequence[Claimed], *, at: datetime
) -> list[Outcome]:
    """Let the version hold that is asked for, or that held before, and announce what comes of it."""
    wanted = {one.ticket.ticket_id: one for one in claimed if _applies(taken, one)}
    facts = await tickets.load_facts(tx.connection, list(wanted))
    outcomes: list[Outcome] = []
    changed: dict[str, list[tuple[Ticket, Fact]]] = {}
    for place, one in enumerate(claimed, 1):
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
        ticket = one.ticket
        if ticket.ticket_id not in wanted:
            outcomes.append(Outcome(ticket.ticket_id, "kept" if taken.is_undone else "skipped", None))
            continue
        version = one.before_version if taken.is_undone else taken.to_version
        happened = facts[ticket.ticket_id]
        fact = terms_change(happened, version=version, at=at)
        changed.setdefault(version, []).append((ticket, fact))
        if taken.is_undone:
            outcomes.append(Outcome(ticket.ticket_id, "undone", None))
            continue
        terms = await tickets.terms_of(tx.connection, ticket)
        later = await tickets.later_terms(tx.connection, ticket, happened)
        later[version] = await tickets.terms_of(tx.connection, ticket, version=version)
        found = recount(ticket.ticket_id, happened, fact, terms=terms, later=later, at=at)
        changes = show_changes(ticket, [pair for pair in found if pair.is_change])
        outcomes.append(Outcome(ticket.ticket_id, "applied", [one.model_dump(mode="json") for one in changes]))
    for version, of_version in changed.items():
        await tickets.change_terms(tx.connection, of_version, version=version, recorded_at=at)
        await announce_changes(tx, [replace(ticket, terms_version=version) for ticket, _ in of_version], at=at)
    return outcomes


def _applies(taken: Recomputation, one: Claimed) -> bool:
    """Whether a ticket is still open and under the version that it was under when it was named."""
    expected = taken.to_version if taken.is_undone else one.before_version
    return not one.ticket.is_closed and one.ticket.version_in_force == expected
