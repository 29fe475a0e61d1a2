"""Bringing another desk's tickets here: some lines a transaction, taken up again after a crash."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, TextIO
from uuid import UUID

import structlog
from pydantic import ValidationError

from plazo.events.envelope import Event
from plazo.events.tickets import CustomerReplied, TicketAnswered, TicketClosed, TicketResolved
from plazo.kernel.errors import Fault, InvalidInput, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime.database import OUTAGE
from plazo.runtime.problems import validation_fault
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from plazo.runtime.wake import Wake
from tickets.domain.acceptance import Request
from tickets.domain.import_file import Faults, fault, read_lines
from tickets.domain.lifecycle import State
from tickets.domain.ticket import Ticket
from tickets.repository import imports, intake, parties
from tickets.repository.imports import ImportJob, Line, Settled
from tickets.repository.intake import Foreign
from tickets.repository.timeline import Entry
from tickets.schemas.intake import ImportedReply, ImportedTicket, ImportView
from tickets.usecases.opening import Past, Taken, policy_for, take_request

log = structlog.get_logger(__name__)

BELL = Wake()

_BATCH = 500
_TOGETHER = 50


async def start_import(
    uow: UnitOfWork, *, file: TextIO, format_: str, source: str, contract_id: UUID | None, actor: str
) -> ImportView:
    """Take in all lines of a file, to be imported by and by. `source` names the other desk: references are its own.

    :raises NotFound: for an unknown contract
    """
    async with uow.begin() as tx:
        if contract_id is not None and await parties.find_contract(tx.connection, contract_id) is None:
            raise NotFound(f"there is no contract {contract_id}")
        import_id, total = new_id(), 0
        batch: list[tuple[int, dict[str, Any] | None, Faults]] = []
        for line in read_lines(file, format_):
            batch.append(line)
            total += 1
            if len(batch) == _BATCH:
                await imports.insert_lines(tx, import_id, batch)
                batch.clear()
        await imports.insert_lines(tx, import_id, batch)
        job = ImportJob(
            import_id=import_id,
            source=source,
            format=format_,
            contract_id=contract_id,
            total=total,
            started_by=actor,
            started_at=tx.now,
        )
        await imports.insert_job(tx, job)
        view = import_view(job, (await imports.count_lines(tx.connection, [import_id]))[import_id])
        tx.answer = view.model_dump(mode="json")
    BELL.set()
    return view


async def import_some(runtime: Runtime) -> int:
    """Import some of the lines that wait, in any desk; returns how many there were."""
    rows = await imports.waiting_lines(runtime.database.system, limit=_TOGETHER)
    for (desk_id, import_id), waiting in groupby(rows, key=lambda row: (row["desk_id"], row["import_id"])):
        found = list(waiting)
        uow = runtime.unit_of_work(desk_id=desk_id, now=found[0]["clock_at"] or runtime.clock.now())
        await _import_together(uow, import_id, [row["line"] for row in found])
    return len(rows)


async def _import_together(uow: UnitOfWork, import_id: UUID, lines: Sequence[int]) -> None:
    """Import lines in one transaction; where that fails, each in its own, and give up on those that fail there."""
    try:
        await import_lines(uow, import_id=import_id, lines=lines)
    except OUTAGE:
        raise
    except Exception as error:  # whatever it is, it is wrong with one line and must not stop the others
        if len(lines) > 1:
            for line in lines:
                await _import_together(uow, import_id, [line])
            return
        log.exception("import_line_failed", import_id=str(import_id), line=lines[0])
        faults = [fault("", f"the line cannot be imported: {type(error).__name__}")]
        async with uow.begin() as tx:
            await imports.settle_lines(tx, import_id, [Settled(lines[0], "refused", None, faults=faults)])


async def import_lines(uow: UnitOfWork, *, import_id: UUID, lines: Sequence[int]) -> None:
    """Make tickets of lines, or say of each all that is wrong with it; those that another process has are its own."""
    async with uow.begin() as tx:
        job = await imports.find_job(tx.connection, import_id)
        assert job is not None, "an import is written with its lines"
        read = [(held, *_validated(held)) for held in await imports.hold_lines(tx, import_id, lines)]
        references = [given.reference for _, given, _ in read if given is not None]
        known = await intake.hold_foreign(tx, source=job.foreign_source, references=references)
        settled = [await _import_line(tx, job, held, given, faults, known) for held, given, faults in read]
        created = {one.reference: known[one.reference] for one in settled if one.state == "created" and one.reference}
        await intake.save_foreign(tx, source=job.foreign_source, known=created)
        await imports.settle_lines(tx, import_id, settled)


async def _import_line(
    tx: Transaction,
    job: ImportJob,
    held: Line,
    given: ImportedTicket | None,
    faults: Faults,
    known: dict[str, Foreign],
) -> Settled:
    if given is None:
        reference = str((held.body or {}).get("reference") or "")[:500] or None
        return Settled(held.line, "refused", reference, faults=faults)
    before = known[given.reference]
    if before.ticket_id is not None:
        return Settled(held.line, "known", given.reference, ticket_id=before.ticket_id)
    try:
        ticket = await _import(tx, job, given)
    except PlazoError as error:
        faults = [fault(one.pointer, one.message) for one in error.faults] or [fault("", error.message)]
        return Settled(held.line, "refused", given.reference, faults=faults)
    known[given.reference] = Foreign(ticket_id=ticket.ticket_id, request_id=None)
    return Settled(held.line, "created", given.reference, ticket_id=ticket.ticket_id)


def _validated(line: Line) -> tuple[ImportedTicket | None, Faults]:
    try:
        return ImportedTicket.model_validate(line.body), []
    except ValidationError as invalid:
        faults = [validation_fault({**error, "loc": ("body", *error["loc"])}) for error in invalid.errors()]
        return None, [fault(one.pointer or "", one.message) for one in faults]


class _NotPlaced(PlazoError):
    """Nothing says whose ticket it is."""


async def _import(tx: Transaction, job: ImportJob, given: ImportedTicket) -> Ticket:
    if to_come := [pointer for pointer, at in _instants(given) if at > tx.now]:
        expected = f"expected an instant up to the present, {tx.now.isoformat()}"
        raise InvalidInput("the line tells what is to come", faults=[Fault(pointer, expected) for pointer in to_come])
    actor = f"import: {job.source}"
    request = Request(
        subject=given.subject,
        description=given.description,
        channel=given.channel,
        contract_id=given.contract_id or job.contract_id,
        contact_name=given.contact_name,
        contact_email=given.contact_email,
        language=given.language,
        facts=given.facts,
        opened_at=given.opened_at,
        number=given.number,
        accepted_by=actor,
        has_clocks=given.state == "open",
        source={"kind": "import", "source": job.source, "reference": given.reference},
    )
    if request.contract_id is None and await policy_for(tx, request=request) is None:
        raise _NotPlaced("expected contract_id, or contact_email of a known contact whose customer has a contract")
    outcome = await take_request(tx, request=request, actor=actor, past=partial(_past, given, actor))
    assert isinstance(outcome, Taken), "what is placed and accepted is taken"
    return outcome.ticket


def _instants(given: ImportedTicket) -> Iterator[tuple[str, datetime]]:
    for name in ("opened_at", "acknowledged_at", "resolved_at", "closed_at"):
        if (at := getattr(given, name)) is not None:
            yield f"/{name}", at
    yield from ((f"/replies/{place}/at", reply.at) for place, reply in enumerate(given.replies))


def _past(given: ImportedTicket, actor: str, ticket: Ticket) -> Past:
    """Return what happened in the other desk, as of when it happened, and what its clocks need to know of it."""
    entries: list[Entry] = []
    told: list[tuple[datetime, Event]] = []
    if given.acknowledged_at is not None:
        entries.append(Entry(kind="acknowledged", actor=actor, occurred_at=given.acknowledged_at))
        told.append(
            (given.acknowledged_at, TicketAnswered(activity="receipt", channel=given.channel, by=actor, imported=True))
        )
    for reply in given.replies:
        entries.append(_entry(reply, given, actor=actor))
        if event := _event(reply, given, actor=actor):
            told.append((reply.at, event))
    answered = any(reply.by == "desk" and not reply.internal for reply in given.replies)
    after = replace(
        ticket, state=State.IN_PROGRESS if answered else ticket.state, acknowledged_at=given.acknowledged_at
    )
    if given.state != "open":
        at = given.resolved_at or given.closed_at or given.opened_at
        text = given.resolution or given.state
        entries.append(Entry(kind="resolved", actor=actor, occurred_at=at, text=text))
        told.append((at, TicketResolved(kind="fix", text=text, by=actor, imported=True)))
        after = replace(after, state=State.RESOLVED, resolution_kind="fix", resolution_text=text, resolved_at=at)
    if given.state == "closed" and given.closed_at is not None:
        entries.append(Entry(kind="closed", actor=actor, occurred_at=given.closed_at, data={"reason": "confirmed"}))
        told.append((given.closed_at, TicketClosed(reason="confirmed", imported=True)))
        after = replace(after, state=State.CLOSED, closed_at=given.closed_at, closed_for="confirmed")
    return Past(
        ticket=after,
        entries=sorted(entries, key=lambda one: one.occurred_at),
        events=sorted(told, key=lambda one: one[0]),
    )


def _entry(reply: ImportedReply, given: ImportedTicket, *, actor: str) -> Entry:
    kind = "internal_note" if reply.internal else "customer_reply" if reply.by == "customer" else "reply"
    side = "requester" if reply.by == "customer" else "agent"
    return Entry(
        kind=kind,
        actor=f"{side}: {reply.author}" if reply.author else actor,
        occurred_at=reply.at,
        text=reply.text,
        internal=reply.internal,
        data={"channel": given.channel},
    )


def _event(reply: ImportedReply, given: ImportedTicket, *, actor: str) -> Event | None:
    if reply.internal or given.state != "open":
        return None
    if reply.by == "customer":
        return CustomerReplied(channel=given.channel, by=actor, imported=True)
    return TicketAnswered(activity="reply", channel=given.channel, by=actor, imported=True)


def import_view(job: ImportJob, counts: dict[str, int]) -> ImportView:
    """Return an import and how far it is."""
    created, known, refused = (counts.get(state, 0) for state in ("created", "known", "refused"))
    return ImportView(
        import_id=job.import_id,
        source=job.source,
        state="running" if counts.get("waiting") else "done",
        total=job.total,
        done=created + known + refused,
        created=created,
        known=known,
        refused=refused,
        started_by=job.started_by,
        started_at=job.started_at,
    )
