"""A mail comes in: a request, something said about a ticket, or nothing that a person wrote."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from plazo.kernel.errors import InvalidInput
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.acceptance import Request, takes_mail_at
from tickets.domain.email import Mail, display_subject, numbers_in
from tickets.domain.lifecycle import IllegalTransition, State
from tickets.domain.resolving import ReopeningOver
from tickets.domain.secrecy import Cipher
from tickets.domain.stated import stated_in
from tickets.domain.ticket import Ticket
from tickets.repository import contacts, intake, parties, tickets
from tickets.repository.contacts import Contact
from tickets.repository.tickets import Entry
from tickets.schemas.intake import IntakeView
from tickets.usecases.attaching import MailFiles, attach_files, keep_files
from tickets.usecases.changes import By, Change, changing_in, refusal_to_answer
from tickets.usecases.linking import open_linked
from tickets.usecases.opening import Kept, NoPolicyInForce, Taken, keep_request, policy_for, take_request
from tickets.usecases.replies import hear_customer
from tickets.usecases.resolving import MergedAway, reopen_ticket
from tickets.usecases.secrets import redact_texts

_LONGEST_DESCRIPTION = 90_000
_LONGEST_ORIGINAL = 200_000
_MOST_RECIPIENTS = 10
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOTES = {
    "sender_disproved": {
        "es": "Su servidor de correo no confirma que usted lo enviara. Lo hemos guardado.",
        "en": "The mail servers do not confirm that you sent it. It is kept.",
    },
    "sender_of_other_customer": {
        "es": "Su dirección no es de las del cliente de esa solicitud. Lo hemos guardado.",
        "en": "Your address is none of that request's customer. It is kept.",
    },
}


@dataclass(frozen=True, slots=True)
class Post:
    """A mail on its way in: `recipients` are whom the envelope names, else the headers; `files` are stored already.

    `cipher` knows the credentials that were entrusted with tickets, where this installation keeps any.
    """

    mail: Mail
    recipients: tuple[str, ...]
    files: MailFiles
    cipher: Cipher | None = None


async def take_mail(uow: UnitOfWork, *, post: Post, actor: str) -> IntakeView:
    """Take a mail in, once however often and at the same time it comes (by its message id).

    Nothing is lost: what becomes neither a ticket nor a reply is kept in quarantine, or in the list of mail.
    """
    mail = post.mail
    async with uow.begin() as tx:
        fresh = await intake.claim_mail(
            tx, message_id=mail.message_id, sender=mail.sender, subject=mail.subject, text=mail.whole_text
        )
        if not fresh:
            view = await _known(tx, mail)
        else:
            view = await _take(tx, post, actor=actor)
            await intake.settle_mail(
                tx,
                mail.message_id,
                outcome=view.outcome,
                reason=view.reason,
                clauses=[view.clause] if view.clause else [],
                ticket_id=view.ticket_id,
                request_id=view.request_id,
                answer=view.model_dump(mode="json"),
            )
        tx.answer = view.model_dump(mode="json")
    return view


async def _known(tx: Transaction, mail: Mail) -> IntakeView:
    row = await intake.recall_mail(tx.connection, tx.desk_id, mail.message_id)
    assert row is not None, "it is there: that is why it was not claimed"
    if row["direction"] == "out":
        return IntakeView(outcome="ignored", reason="own_message", ticket_id=row["ticket_id"])
    return IntakeView(**(row["answer"] or {}) | {"outcome": "duplicate"})


async def _take(tx: Transaction, post: Post, *, actor: str) -> IntakeView:
    mail = post.mail
    answered = await intake.find_answered(tx.connection, *answered_ids(mail.references))
    if mail.automatic is not None:
        return await _note_automatic(tx, post, answered)
    contact = await contacts.find_contact_by_email(tx.connection, mail.sender)
    about = answered or await intake.find_by_number(tx.connection, numbers_in(mail.subject))
    request = await _request(tx, post, contact)
    if mail.is_disproved:
        return await _keep(tx, post, request, reason="sender_disproved")
    ticket = await tickets.find_ticket(tx.connection, about, lock=True) if about else None
    if ticket is None:
        return await _open(tx, post, request, actor=actor)
    if not await _belongs(tx, mail, contact, ticket):
        about_it = replace(request, about_ticket=ticket.number)
        return await _keep(tx, post, about_it, reason="sender_of_other_customer")
    return await _hear(tx, post, ticket, contact=contact, request=request)


async def _open(tx: Transaction, post: Post, request: Request, *, actor: str) -> IntakeView:
    try:
        outcome = await take_request(tx, request=request, actor=actor)
    except (InvalidInput, NoPolicyInForce) as error:
        return await _keep(tx, post, request, reason=error.code, note={"es": error.message, "en": error.message})
    return await _outcome(tx, outcome, post)


async def _note_automatic(tx: Transaction, post: Post, about: UUID | None) -> IntakeView:
    """Write into the dossier that nobody wrote: what answers it would begin a loop."""
    mail = post.mail
    if about is None:
        return IntakeView(outcome="ignored", reason=mail.automatic)
    entry = Entry(
        kind="internal_note",
        actor=f"email: {mail.sender}",
        occurred_at=tx.now,
        internal=True,
        text=mail.text[:_LONGEST_DESCRIPTION] or mail.subject,
        data={"automatic": mail.automatic, "message_id": mail.message_id},
    )
    ticket = await tickets.find_ticket(tx.connection, about, lock=True)
    assert ticket is not None, "a mail is known by a ticket of its desk"
    await tickets.add_entries(tx, about, [entry])
    return IntakeView(outcome="ignored", reason=mail.automatic, ticket_id=about, number=ticket.number)


async def _belongs(tx: Transaction, mail: Mail, contact: Contact | None, ticket: Ticket) -> bool:
    """Tell whether the sender is of the ticket's customer: knowing its number is not enough."""
    if contact is not None:
        return contact.customer_id == ticket.customer_id
    customer = await parties.find_customer(tx.connection, ticket.customer_id)
    own = {ticket.contact_email, customer.email if customer else None}
    return mail.sender in {address.lower() for address in own if address}


async def _hear(
    tx: Transaction, post: Post, ticket: Ticket, *, contact: Contact | None, request: Request
) -> IntakeView:
    """Add what the customer wrote to its ticket; a closed one is reopened, or followed by a linked one."""
    post, request = await _without_secrets(tx, post, request, ticket)
    mail = post.mail
    contact_id = contact.contact_id if contact else None
    by = By(actor=f"email: {mail.sender}", customer_id=ticket.customer_id, contact_id=contact_id)
    refused = await refusal_to_answer(tx, ticket, contact)
    if refused is not None:
        about_it = replace(request, about_ticket=ticket.number)
        note = dict(refused.note)
        return await _keep(tx, post, about_it, reason=refused.reason, note=note, clauses=refused.clauses)
    try:
        async with changing_in(tx, ticket.ticket_id, by, follow_merge=True) as change:
            if change.before.state is State.CLOSED:
                await reopen_ticket(change, reason=display_subject(mail.text), by=by)
            _say(change, post, by)
    except (ReopeningOver, MergedAway, IllegalTransition):
        following = replace(request, contract_id=ticket.contract_id, about_ticket=ticket.number)
        outcome = await open_linked(
            tx, source=ticket, request=following, kind="continues", by=replace(by, customer_id=None)
        )
        return await _outcome(tx, outcome, post)
    await attach_files(tx, post.files, ticket_id=change.before.ticket_id, actor=by.actor, contact=contact)
    return IntakeView(outcome="reply_added", ticket_id=change.before.ticket_id, number=change.before.number)


async def _without_secrets(tx: Transaction, post: Post, request: Request, ticket: Ticket) -> tuple[Post, Request]:
    """Take the credentials that were entrusted with the ticket out of what a mail says of it (PRO-22)."""
    if post.cipher is None:
        return post, request
    mail = post.mail
    texts = [mail.subject, mail.text, mail.whole_text, request.subject, request.description]
    left = await redact_texts(tx.connection, post.cipher, ticket_id=ticket.ticket_id, texts=texts)
    if left == texts:
        return post, request
    subject, text, whole_text, asked, description = left
    await intake.rewrite_mail(tx, mail.message_id, subject=subject, text=whole_text)
    told = replace(mail, subject=subject, text=text, whole_text=whole_text)
    return replace(post, mail=told), replace(request, subject=asked, description=description)


def _say(change: Change, post: Post, by: By) -> None:
    hear_customer(change, text=post.mail.text[:_LONGEST_DESCRIPTION] or post.mail.subject, channel="email", by=by)


async def _request(tx: Transaction, post: Post, contact: Contact | None) -> Request:
    """Return the mail as a request: its facts stated in the text, its address, and the contract that this means."""
    mail = post.mail
    request = Request(
        subject=display_subject(mail.subject),
        description=(mail.text or mail.subject or "—")[:_LONGEST_DESCRIPTION],
        channel="email",
        contact_name=mail.sender_name,
        contact_email=mail.sender,
        is_vouched_for=False,
        sent_to=next(iter(post.recipients), None),
        contract_id=await _dedicated(tx, post.recipients, contact),
        source={"kind": "email", "message_id": mail.message_id}
        | ({"subject": mail.subject} if display_subject(mail.subject) != mail.subject else {}),
        original={
            "from": mail.sender,
            "to": list(post.recipients),
            "subject": mail.subject,
            "text": mail.whole_text[:_LONGEST_ORIGINAL],
            "message_id": mail.message_id,
            "attachments": [one.name for one in mail.attachments],
            "files": post.files.listed(),
        },
    )
    for address in post.recipients[:_MOST_RECIPIENTS]:
        policy = await policy_for(tx, request=replace(request, sent_to=address))
        if policy is not None and takes_mail_at(policy, address):
            request = replace(request, sent_to=address)
            break
    policy = await policy_for(tx, request=request)
    if policy is None:
        return request
    stated = stated_in(mail.text, policy)
    parts = stated.parts | _part_of_files(mail, [part.name for part in policy.intake.parts])
    return replace(request, facts=stated.facts, parts=parts)


async def _dedicated(tx: Transaction, recipients: Sequence[str], contact: Contact | None) -> UUID | None:
    """Return the contract that an address of the desk is for, unless the sender is another customer's."""
    for address in await intake.find_addresses(tx.connection, recipients):
        if address.contract_id is None:
            continue
        contract = await parties.find_contract(tx.connection, address.contract_id)
        if contract is not None and (contact is None or contact.customer_id == contract.customer_id):
            return contract.contract_id
    return None


def _part_of_files(mail: Mail, asked: Sequence[str]) -> dict[str, str]:
    """Return the parts that attached files are. PRO-22"""
    images = [one.name for one in mail.attachments if one.declared_type.startswith("image/")]
    return {"images": ", ".join(images)[:500]} if images and "images" in asked else {}


async def _keep(
    tx: Transaction,
    post: Post,
    request: Request,
    *,
    reason: str,
    note: dict[str, str] | None = None,
    clauses: tuple[str, ...] = (),
) -> IntakeView:
    note = note or _NOTES.get(reason)
    return await _outcome(tx, await keep_request(tx, request=request, reason=reason, note=note, clauses=clauses), post)


async def _outcome(tx: Transaction, outcome: Taken | Kept, post: Post) -> IntakeView:
    if isinstance(outcome, Kept):
        await keep_files(tx, post.files)
        return kept_view(outcome)
    ticket = outcome.ticket
    contact = await contacts.find_contact_by_email(tx.connection, post.mail.sender)
    await attach_files(tx, post.files, ticket_id=ticket.ticket_id, actor=f"email: {post.mail.sender}", contact=contact)
    return IntakeView(outcome="ticket_opened", ticket_id=ticket.ticket_id, number=ticket.number)


def kept_view(kept: Kept) -> IntakeView:
    """Return what is said of a request that is kept."""
    return IntakeView(
        outcome="kept",
        request_id=kept.request_id,
        reason=kept.reason,
        clause=", ".join(kept.clauses) or None,
        message=kept.note.get(kept.language),
    )


def answered_ids(references: Sequence[str]) -> tuple[list[str], list[UUID]]:
    """Return the mails that references name, nearest first, and the tickets that our own mails' references name."""
    mails: list[str] = []
    about: list[UUID] = []
    for reference in references:
        local = reference.partition("@")[0]
        mails.append(f"{local}@plazo" if _UUID.fullmatch(local) else reference)
        if local.startswith("ticket-") and _UUID.fullmatch(local.removeprefix("ticket-")):
            about.append(UUID(local.removeprefix("ticket-")))
    return mails, about
