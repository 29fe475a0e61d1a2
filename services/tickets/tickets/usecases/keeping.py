"""Keeping requests that do not become tickets, with the reason and the clause, and saying so."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from plazo.events.ticket_intake import RequestQuarantined, RequestRefused
from plazo.kernel.errors import Kind, PlazoError
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.acceptance import Refusal, Request, takes_mail_at
from tickets.domain.acceptance import refusal as refusal_by
from tickets.repository import kept, parties
from tickets.repository.contacts import Contact
from tickets.usecases.placing import Terms, address_of, find_sender

REQUEST: TypeAdapter[Request] = TypeAdapter(Request)

_UNKNOWN_SENDER = {
    "es": "No sabemos de qué cliente es su mensaje. Lo hemos guardado.",
    "en": "We do not know which customer your message comes from. It is kept.",
}


class NotTaken(PlazoError):
    """The contract does not let the request in; it is kept, with the reason and the clause."""

    kind = Kind.FORBIDDEN
    code = "request-not-taken"


@dataclass(frozen=True, slots=True)
class Kept:
    """The request did not become a ticket, and is kept; `note` says why by language, `language` is the sender's."""

    request_id: UUID
    outcome: str
    reason: str
    note: dict[str, str]
    clauses: tuple[str, ...]
    language: str

    def error(self) -> NotTaken:
        """Return what a caller who waits for an answer is told."""
        note = self.note.get(self.language) or self.reason
        return NotTaken(f"{note} (kept as {self.request_id}, {self.outcome})", clause=", ".join(self.clauses) or None)


async def keep_request(
    tx: Transaction,
    *,
    request: Request,
    reason: str,
    note: dict[str, str] | None = None,
    clauses: tuple[str, ...] = (),
) -> Kept:
    """Keep in quarantine what cannot even be placed under a contract, until somebody releases or dismisses it."""
    if request.contract_id is not None:
        contract = await parties.find_contract(tx.connection, request.contract_id)
        request = replace(request, customer_id=contract.customer_id if contract else request.customer_id)
    refusal = Refusal(outcome="quarantined", reason=reason, note=note or {}, clauses=clauses)
    contact = await find_sender(tx, request, only_customer=None)
    return await keep(tx, request, refusal, contact=contact, terms=None)


async def keep_unplaced(tx: Transaction, request: Request, contact: Contact | None, *, at: datetime) -> Kept:
    """Keep a request of nobody's customer, for the reason of the policy whose address it was written to, if any."""
    for name in await parties.policy_names(tx.connection):
        policy = await policies.policy_in_force(tx.connection, policy=name, at=at)
        if policy is None or not takes_mail_at(policy, request.sent_to):
            continue
        found = refusal_by(policy, {"channel": request.channel, "authorized": False, "language": policy.language})
        if found is not None:
            return await keep(tx, request, found, contact=contact, terms=None, policy=policy)
    reason = "unknown_sender" if contact is None and request.customer_id is None else "no_contract"
    unplaced = Refusal(outcome="quarantined", reason=reason, note=_UNKNOWN_SENDER, clauses=())
    return await keep(tx, request, unplaced, contact=contact, terms=None)


async def keep(
    tx: Transaction,
    request: Request,
    refusal: Refusal,
    *,
    contact: Contact | None,
    terms: Terms | None,
    policy: Policy | None = None,
) -> Kept:
    """Keep a request for a reason, and announce it, so that its sender is answered."""
    request_id, received_at = new_id(), request.received_at or tx.now
    policy = terms.policy if terms else policy
    customer_id = terms.customer.customer_id if terms else (contact.customer_id if contact else request.customer_id)
    language = (
        request.language
        or (contact.language if contact else None)
        or (terms.customer.language if terms else policy.language if policy else "es")
    )
    placed = {"contract_id": str(terms.contract.contract_id)} if terms else {}
    await kept.insert_kept(
        tx,
        kept.KeptRequest(
            request_id=request_id,
            outcome=refusal.outcome,
            state="kept",
            reason=refusal.reason,
            note=dict(refusal.note),
            clauses=refusal.clauses,
            channel=request.channel,
            sender=request.told_email or address_of(request, contact),
            customer_id=customer_id,
            contact_id=contact.contact_id if contact else None,
            body=REQUEST.dump_python(request, mode="json", exclude={"original"}) | placed,
            original=request.original,
            received_at=received_at,
        ),
    )
    event = RequestRefused if refusal.outcome == "refused" else RequestQuarantined
    tx.emit(
        event(
            request_id=request_id,
            channel=request.channel,
            subject=request.subject,
            contact_name=request.contact_name or (contact.name if contact else None),
            contact_email=address_of(request, contact),
            customer_id=customer_id,
            contact_id=contact.contact_id if contact else None,
            contract_id=terms.contract.contract_id if terms else None,
            policy=policy.policy if policy else None,
            policy_version=policy.version if policy else None,
            language=language,
            reason=refusal.reason,
            note=dict(refusal.note),
            clauses=refusal.clauses,
            received_at=received_at,
        ),
        about=request_id,
        occurred_at=received_at,
    )
    return Kept(
        request_id=request_id,
        outcome=refusal.outcome,
        reason=refusal.reason,
        note=dict(refusal.note),
        clauses=refusal.clauses,
        language=language,
    )
