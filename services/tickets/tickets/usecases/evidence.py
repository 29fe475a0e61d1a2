"""Evidence: what happened to a ticket, so that others can verify it."""

from uuid import UUID

from plazo.kernel.timeline_chain import Sealed, Verdict, first_hash, verify
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.repository import dossier, tickets, timeline, views
from tickets.schemas.dossier import ChainedEntryView, EvidenceView, VerificationView
from tickets.schemas.tickets import DecisionView
from tickets.usecases.attachments import attachment_view
from tickets.usecases.reading import ticket_view, visible_ticket


async def verify_timeline(uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None) -> VerificationView:
    """Check the whole timeline of a ticket against its chain.

    A customer is told whether it is intact, and counts only the entries that it may see: how many others there are,
    or were erased, would tell it what they are about.

    :raises NoSuchTicket:
    """
    async with uow.read() as connection:
        ticket = await visible_ticket(connection, ticket_id, customer_id=customer_id)
        head = await timeline.find_head(connection, ticket_id)
        entries = [entry async for entry in timeline.read_chain(connection, ticket_id)]
    verdict = verify(ticket_id, entries, head=head)
    if customer_id is not None:
        seen = [entry for entry in entries if not entry.link.internal]
        verdict = Verdict(
            entries=len(seen),
            erased=sum(entry.salt is None for entry in seen),
            head=seen[-1].hash if seen else first_hash(ticket_id),
            reason=None if verdict.is_intact else "the timeline is not what was recorded",
        )
    return VerificationView(
        ticket_id=ticket_id,
        number=ticket.number,
        intact=verdict.is_intact,
        entries=verdict.entries,
        erased=verdict.erased,
        head=verdict.head.hex(),
        position=verdict.position,
        reason=verdict.reason,
    )


async def collect_evidence(uow: UnitOfWork, *, ticket_id: UUID) -> EvidenceView:
    """Return all that this service knows of a ticket, from one snapshot. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        ticket = await visible_ticket(connection, ticket_id, customer_id=None)
        announced = await views.read_announced(connection, [ticket_id])
        decisions = await tickets.list_decisions(connection, ticket_id)
        files = await dossier.list_attachments(connection, ticket_id, with_internal=True)
        entries = [entry async for entry in timeline.read_chain(connection, ticket_id)]
        head = await timeline.find_head(connection, ticket_id)
        policy = await connection.fetchval(
            "SELECT document FROM policy_version WHERE policy = $1 AND version = $2",
            ticket.policy,
            ticket.policy_version,
        )
    return EvidenceView(
        made_at=uow.now,
        ticket=ticket_view(ticket, announced[ticket_id]),
        decisions=[DecisionView(**row) for row in decisions],
        attachments=[attachment_view(one) for one in files],
        timeline=[_chained(entry) for entry in entries],
        head=(head or b"").hex(),
        policy=policy or {},
    )


def _chained(entry: Sealed) -> ChainedEntryView:
    link, words = entry.link, entry.words
    return ChainedEntryView(
        position=link.position,
        occurred_at=link.occurred_at,
        recorded_at=link.recorded_at,
        kind=link.kind,
        actor=words.actor,
        internal=link.internal,
        text=words.text,
        data=words.data,
        salt=None if entry.salt is None else entry.salt.hex(),
        digest=link.digest.hex(),
        hash=entry.hash.hex(),
        erased_at=entry.erased_at,
    )
