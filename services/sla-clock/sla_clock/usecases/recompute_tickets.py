"""Open tickets are counted by another version of their policy: asked for, looked at beforehand, taken back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime import policies
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import Announced, copy_of
from sla_clock.domain.recomputation import Recount, recount, terms_change
from sla_clock.repository import recomputations, tickets
from sla_clock.repository.recomputations import Named, Recomputation
from sla_clock.repository.tickets import Ticket
from sla_clock.schemas.recomputation import ClockChange, DryRun, RecomputationInput, RecomputationView, Standing
from sla_clock.usecases.alarm import ASKED


class RecomputationRunning(PlazoError):
    """Another recomputation of the same policy is not finished."""

    kind = Kind.CONFLICT
    code = "recomputation-running"


class NotUndoable(PlazoError):
    """Only a recomputation that is done, and not undone, can be taken back."""

    kind = Kind.CONFLICT
    code = "recomputation-not-undoable"


async def start_recomputation(uow: UnitOfWork, *, body: RecomputationInput, requested_by: str) -> RecomputationView:
    """Ask for a recomputation; it is worked off in the background.

    :raises InvalidInput: with each version or ticket that does not exist
    :raises RecomputationRunning: if another of the policy is not finished
    """
    async with uow.begin() as tx:
        await _check(tx.connection, body)
        asked = Recomputation(
            recomputation_id=new_id(),
            desk_id=tx.desk_id,
            policy=body.policy,
            from_version=body.from_version,
            to_version=body.to_version,
            reason=body.reason,
            requested_by=requested_by,
            requested_at=tx.now,
            state="running",
        )
        if not await recomputations.insert_recomputation(tx.connection, asked, _named(body)):
            raise RecomputationRunning(f"a recomputation of {body.policy} is not finished; wait for it")
        view = await _progress(tx.connection, asked.recomputation_id)
        tx.answer = view.model_dump(mode="json")
    ASKED.set()
    return view


async def try_recomputation(uow: UnitOfWork, *, body: RecomputationInput, after: UUID | None, limit: int) -> DryRun:
    """Return what a recomputation would do, for `limit` tickets behind `after`; nothing is changed.

    The last ticket looked at is in `seen`, None when there is none behind it. :raises InvalidInput: as above
    """
    named, at = _named(body), uow.now
    async with uow.read() as connection:
        await _check(connection, body)
        total = await recomputations.count_named(connection, named)
        found = await recomputations.list_named(connection, named, after=after, limit=limit + 1)
        shown = found[:limit]
        facts = await tickets.load_facts(connection, [ticket.ticket_id for ticket in shown])
        items: list[ClockChange] = []
        for ticket in shown:
            happened = facts[ticket.ticket_id]
            terms = await tickets.terms_of(connection, ticket)
            later = await tickets.later_terms(connection, ticket, happened)
            later[body.to_version] = await tickets.terms_of(connection, ticket, version=body.to_version)
            change = terms_change(happened, version=body.to_version, at=at)
            items += show_changes(ticket, recount(ticket.ticket_id, happened, change, terms=terms, later=later, at=at))
    seen = shown[-1].ticket_id if len(found) > limit else None
    return DryRun(total=total, items=items, seen=seen)


async def read_recomputation(uow: UnitOfWork, recomputation_id: UUID) -> RecomputationView:
    """Return a recomputation and its progress. :raises NotFound: if there is no such"""
    async with uow.read() as connection:
        return await _progress(connection, recomputation_id)


async def list_recomputations(uow: UnitOfWork, *, before: UUID | None, limit: int) -> list[RecomputationView]:
    """Return recomputations, newest first."""
    async with uow.read() as connection:
        found = await recomputations.list_recomputations(connection, before=before, limit=limit)
    return [RecomputationView.model_validate(row) for row in found]


async def list_changes(
    uow: UnitOfWork, recomputation_id: UUID, *, after: UUID | None, limit: int
) -> list[tuple[UUID, list[ClockChange]]]:
    """Return by ticket the clocks that a recomputation changed. :raises NotFound: if there is no such recomputation"""
    async with uow.read() as connection:
        await _progress(connection, recomputation_id)
        found = await recomputations.list_changes(connection, recomputation_id, after=after, limit=limit)
    return [(ticket_id, [ClockChange.read(one) for one in changes]) for ticket_id, changes in found]


async def undo_recomputation(uow: UnitOfWork, recomputation_id: UUID) -> RecomputationView:
    """Let the versions hold again that held before, where the ticket is open and nothing else came since.

    :raises NotFound: if there is no such recomputation
    :raises NotUndoable: if it is not finished, or undone
    """
    async with uow.begin() as tx:
        view = await _progress(tx.connection, recomputation_id)
        await recomputations.begin_undo(tx.connection, recomputation_id)
        if view.state != "done":
            raise NotUndoable(f"the recomputation is {view.state}: expected one that is done")
        view = await _progress(tx.connection, recomputation_id)
        tx.answer = view.model_dump(mode="json")
    ASKED.set()
    return view


def show_changes(ticket: Ticket, found: Sequence[Recount]) -> list[ClockChange]:
    """Show what becomes of a ticket's clocks."""
    changes: list[ClockChange] = []
    for one in found:
        clock = one.after or one.before
        assert clock is not None
        changes.append(
            ClockChange(
                clock_id=clock.clock_id,
                ticket_id=ticket.ticket_id,
                number=ticket.number,
                kind=clock.kind,
                cycle=clock.cycle,
                before=Standing.of(one.before),
                after=Standing.of(one.after),
                changed=one.is_change,
            )
        )
    return changes


def show_changed(ticket: Ticket, before: Mapping[UUID, Announced], after: Sequence[Clock]) -> list[dict[str, Any]]:
    """Show as JSON what has become of a ticket's clocks, of those that are owed and stand otherwise than announced."""
    folded = {clock.clock_id: clock for clock in after}
    changes: list[dict[str, Any]] = []
    for clock_id in before.keys() | folded.keys():
        was, now = before.get(clock_id), folded.get(clock_id)
        is_owed = (was is not None and was.is_running) or (now is not None and now.is_running)
        if is_owed and (was and was.clock) != (now and copy_of(now)):
            copy = copy_of(now) if now else was.clock if was else None
            assert copy is not None
            change = ClockChange(
                clock_id=clock_id,
                ticket_id=ticket.ticket_id,
                number=ticket.number,
                kind=copy.kind,
                cycle=copy.cycle,
                before=Standing.announced(was, policy_version=ticket.version_in_force),
                after=Standing.of(now),
                changed=True,
            )
            changes.append(change.model_dump(mode="json"))
    return changes


def _named(body: RecomputationInput) -> Named:
    return Named(body.policy, body.to_version, body.from_version, body.tickets)


async def _check(connection: Connection, body: RecomputationInput) -> None:
    faults = []
    for pointer, version in (("/from_version", body.from_version), ("/to_version", body.to_version)):
        if version is not None and not await policies.find_policy(connection, policy=body.policy, version=version):
            faults.append(Fault(pointer, f"policy {body.policy} has no version {version} in this desk"))
    if body.tickets:
        unknown = set(await recomputations.list_unknown(connection, policy=body.policy, ticket_ids=body.tickets))
        faults += [
            Fault(f"/tickets/{place}", f"{ticket_id} is no open ticket under {body.policy}")
            for place, ticket_id in enumerate(body.tickets)
            if ticket_id in unknown
        ]
    if faults:
        raise InvalidInput("the recomputation names what does not exist", faults=faults)


async def _progress(connection: Connection, recomputation_id: UUID) -> RecomputationView:
    row = await recomputations.find_recomputation(connection, recomputation_id)
    if row is None:
        raise NotFound(f"there is no recomputation {recomputation_id} here")
    return RecomputationView.model_validate(row)
