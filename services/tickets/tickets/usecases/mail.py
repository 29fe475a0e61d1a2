"""A mail comes in: a request, something said about a ticket, or nothing that a person wrote."""

import re
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from plazo.events.ticket_intake import MessageAnswered
from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.acceptance import Request
from tickets.domain.email import Mail, display_subject, numbers_in
from tickets.domain.lifecycle import IllegalTransition, State
from tickets.domain.resolving import ReopeningOver
from tickets.domain.ticket import Ticket
from tickets.repository import contacts, intake, parties, tickets
from tickets.repository.contacts import Contact
from tickets.repository.tickets import Entry
from tickets.schemas.intake import IntakeView
from tickets.usecases.attaching import attach_files, keep_files
from tickets.usecases.changes import By, Change, changing_in, refusal_to_answer
from tickets.usecases.linking import open_linked
from tickets.usecases.mail_request import LONGEST_DESCRIPTION, Post, request_of
from tickets.usecases.opening import Kept, NoPolicyInForce, Taken, keep_request, take_request
from tickets.usecases.redacting import redact_texts
from tickets.usecases.replies import hear_customer
from tickets.usecases.resolving import MergedAway, reopen_ticket

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


async def take_mail(uow: UnitOfWork, *, post: Post, actor: str) -> IntakeView:
    """Take a mail in, once however often and at the same time it comes (by its message id and what it says).

    Nothing is lost: what becomes neither a ticket nor a reply is kept in quarantine, or in the list of mail.
    """
    mail = post.mail
    async with uow.begin() as tx:
        known_as, before = await intake.claim_mail(
            tx,
            message_id=mail.message_id,
            sender=mail.sender,
            subject=mail.subject,
            text=mail.whole_text,
            digest=mail.digest,
        )
        if before is not None:
            view = _known(before)
        else:
            view = await _take(tx, replace(post, known_as=known_as), actor=actor)
            await intake.settle_mail(
                tx,
                known_as,
                outcome=view.outcome,
                reason=view.reason,
                clauses=[view.clause] if view.clause else [],
                ticket_id=view.ticket_id,
                request_id=view.request_id,
                answer=view.model_dump(mode="json"),
            )
        tx.answer = view.model_dump(mode="json")
    return view


def _known(before: asyncpg.Record) -> IntakeView:
    if before["direction"] == "out":
        return IntakeView(outcome="ignored", reason="own_message", ticket_id=before["ticket_id"])
    return IntakeView(**(before["answer"] or {}) | {"outcome": "duplicate"})


async def _take(tx: Transaction, post: Post, *, actor: str) -> IntakeView:
    mail = post.mail
    answered = await intake.find_answered(tx.connection, *answered_ids(mail.references))
    if mail.automatic is not None:
        return await _note_automatic(tx, post, answered)
    contact = await contacts.hold_contact_by_email(tx.connection, mail.sender)
    about = answered or await intake.find_by_number(tx.connection, numbers_in(mail.subject))
    request = await request_of(tx, post, contact)
    if mail.is_disproved:
        return await _keep(tx, post, request, reason="sender_disproved")
    ticket = await tickets.find_ticket(tx.connection, about, lock=True) if about else None
    if ticket is None:
        return await _open(tx, post, request, actor=actor)
    if not await _belongs(tx, mail, contact, ticket):
        if (message_id := await _answered_notice(tx, mail, ticket)) is not None:
            post = await _without_secrets(tx, post, ticket, by_customer=False)
            return await _note_answer(tx, post.mail, ticket, message_id=message_id)
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
    ticket = await tickets.find_ticket(tx.connection, about, lock=True)
    assert ticket is not None, "a mail is known by a ticket of its desk"
    post = await _without_secrets(tx, post, ticket)
    await _note(tx, post.mail, about, automatic=mail.automatic)
    return IntakeView(outcome="ignored", reason=mail.automatic, ticket_id=about, number=ticket.number)


async def _answered_notice(tx: Transaction, mail: Mail, ticket: Ticket) -> UUID | None:
    """Return the message about a ticket that its own addressee answers: one of the provider's people, say."""
    named = [reference.partition("@")[0] for reference in mail.references]
    ids = [UUID(one) for one in named if _UUID.fullmatch(one)]
    return await intake.find_notice(tx.connection, ticket_id=ticket.ticket_id, message_ids=ids, told=mail.sender)


async def _note_answer(tx: Transaction, mail: Mail, ticket: Ticket, *, message_id: UUID) -> IntakeView:
    """Write an answer to a notice into the dossier, for the provider's own eyes; whoever sent the notice is told."""
    await _note(tx, mail, ticket.ticket_id, answers=str(message_id))
    answered = MessageAnswered(ticket_id=ticket.ticket_id, message_id=message_id, sender=mail.sender)
    tx.emit(answered, about=ticket.ticket_id, occurred_at=tx.now)
    return IntakeView(
        outcome="reply_added", reason="answer_to_notice", ticket_id=ticket.ticket_id, number=ticket.number
    )


async def _note(tx: Transaction, mail: Mail, ticket_id: UUID, **data: str | None) -> None:
    """Write what a mail says into the dossier, for the desk's people alone."""
    entry = Entry(
        kind="internal_note",
        actor=f"email: {mail.sender}",
        occurred_at=tx.now,
        internal=True,
        text=mail.text[:LONGEST_DESCRIPTION] or mail.subject,
        data=data | {"message_id": mail.message_id},
    )
    await tickets.add_entries(tx, ticket_id, [entry])


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
    """Add what the customer wrote to its ticket; a closed one is reopened, or followed by a linked one.

    What is neither, for whatever reason, is kept: a mail that is refused is a mail lost.
    """
    told = await _without_secrets(tx, post, ticket)
    if told is not post:
        post, request = told, await request_of(tx, told, contact)
    mail = post.mail
    contact_id = contact.contact_id if contact else None
    by = By(actor=f"email: {mail.sender}", customer_id=ticket.customer_id, contact_id=contact_id)
    refused = await refusal_to_answer(tx, ticket, contact)
    if refused is not None:
        about_it = replace(request, about_ticket=ticket.number)
        note = dict(refused.note)
        return await _keep(tx, post, about_it, reason=refused.reason, note=note, clauses=refused.clauses)
    try:
        async with tx.undoing():
            heard = await _add(tx, post, ticket, by=by, request=request)
    except PlazoError as error:
        if error.kind is Kind.UNAVAILABLE:  # it comes again
            raise
        about_it = replace(request, about_ticket=ticket.number)
        return await _keep(tx, post, about_it, reason=error.code, note={"es": error.message, "en": error.message})
    if not isinstance(heard, Ticket):
        return await _outcome(tx, heard, post)
    await attach_files(tx, post.files, ticket_id=heard.ticket_id, actor=by.actor, contact=contact)
    return IntakeView(outcome="reply_added", ticket_id=heard.ticket_id, number=heard.number)


async def _add(tx: Transaction, post: Post, ticket: Ticket, *, by: By, request: Request) -> Ticket | Taken | Kept:
    """Add a mail to a ticket, or to the one that goes on for it, and return that; or what follows it."""
    try:
        async with changing_in(tx, ticket.ticket_id, by, follow_merge=True) as change:
            if change.before.state is State.CLOSED:
                await reopen_ticket(change, reason=display_subject(post.mail.text), by=by)
            _say(change, post, by)
    except (ReopeningOver, MergedAway, IllegalTransition):
        following = replace(request, contract_id=ticket.contract_id, about_ticket=ticket.number)
        return await open_linked(
            tx, source=ticket, request=following, kind="continues", by=replace(by, customer_id=None)
        )
    return change.before


async def _without_secrets(tx: Transaction, post: Post, ticket: Ticket, *, by_customer: bool = True) -> Post:
    """Take the credentials that were entrusted with the ticket out of what a mail says of it (PRO-22)."""
    if post.cipher is None:
        return post
    mail = post.mail
    texts = [mail.subject, mail.text, mail.whole_text, *post.names]
    left = await redact_texts(tx, post.cipher, ticket_id=ticket.ticket_id, texts=texts, by_customer=by_customer)
    if left == texts:
        return post
    subject, text, whole_text, *names = left
    await intake.rewrite_mail(tx, post.known_as, subject=subject, text=whole_text)
    told = replace(mail, subject=subject, text=text, whole_text=whole_text)
    return replace(post, mail=told).renamed(dict(zip(post.names, names, strict=True)))


def _say(change: Change, post: Post, by: By) -> None:
    hear_customer(change, text=post.mail.text[:LONGEST_DESCRIPTION] or post.mail.subject, channel="email", by=by)


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
