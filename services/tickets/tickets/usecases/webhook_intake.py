"""A post of another system comes in: each matter in it becomes a ticket, or what happened to one."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from plazo.events.tickets import TicketAnswered
from plazo.kernel.errors import InvalidInput, NotFound, PlazoError
from plazo.runtime.signatures import Delivery
from plazo.runtime.unit_of_work import AlreadyDone, Transaction, UnitOfWork
from tickets.domain.acceptance import Request
from tickets.domain.email import clean_text
from tickets.domain.lifecycle import Action, State
from tickets.domain.mapping import Item, Unmapped, read_post
from tickets.domain.secrecy import Cipher
from tickets.domain.ticket import Ticket
from tickets.repository import hooks, intake, tickets
from tickets.repository.hooks import Hook
from tickets.repository.intake import Foreign
from tickets.repository.tickets import Entry
from tickets.schemas.intake import MappingInput, PostedItemView, PostView
from tickets.usecases.changes import By, Change, changing_in
from tickets.usecases.mail import kept_view
from tickets.usecases.opening import Kept, NoPolicyInForce, Taken, keep_request, take_request
from tickets.usecases.redacting import redact_texts
from tickets.usecases.replies import hear_customer
from tickets.usecases.resolving import reopen_ticket, resolve_ticket

_LONGEST_ORIGINAL = 100_000


async def take_post(uow: UnitOfWork, *, hook: Hook, delivery: Delivery, payload: Any, cipher: Cipher) -> PostView:
    """Take a signed post in, once however often and at the same time it is delivered.

    What the mapping cannot read, and what the contract does not let in, is kept in quarantine.
    """
    try:
        async with uow.begin() as tx:
            if not await hooks.claim_delivery(tx, hook.hook_id, delivery.ids):
                raise AlreadyDone(await hooks.recall_delivery(tx.connection, hook.hook_id, delivery.ids))
            mapping = MappingInput.model_validate(hook.mapping).mapping()
            read = read_post(mapping, payload)
            threads = [one.thread for one in read if isinstance(one, Item)]
            await intake.hold_foreign(tx, source=hook.source, references=threads)
            items = [await _take(tx, hook, one, cipher) for one in read]
            view = PostView(duplicate=False, items=items)
            await hooks.settle_delivery(tx, hook.hook_id, delivery.ids, view.model_dump(mode="json"))
    except AlreadyDone as done:
        return PostView.model_validate({"items": [], **done.answer, "duplicate": True})
    return view


async def _take(tx: Transaction, hook: Hook, item: Item | Unmapped, cipher: Cipher) -> PostedItemView:
    if isinstance(item, Unmapped):
        faults = "; ".join(fault.message for fault in item.faults)
        request = Request(
            subject=f"{hook.name}: not mapped",
            description=faults,
            channel="webhook",
            contract_id=hook.contract_id,
            source=_source(hook),
            original={"faults": [fault.message for fault in item.faults], "payload": _bounded(item.raw)},
        )
        kept = await keep_request(tx, request=request, reason="not_mapped", note={"es": faults, "en": faults})
        return PostedItemView(thread=None, **kept_view(kept).model_dump())
    known = (await intake.hold_foreign(tx, source=hook.source, references=[item.thread]))[item.thread]
    if known.is_kept and item.action in ("open", "resolve"):
        return PostedItemView(thread=item.thread, outcome="ignored", reason="already_kept", request_id=known.request_id)
    ticket = await tickets.find_ticket(tx.connection, known.ticket_id, lock=True) if known.ticket_id else None
    if ticket is None or (ticket.state is State.CLOSED and item.action == "open"):
        if item.action == "resolve":
            return PostedItemView(thread=item.thread, outcome="ignored", reason="not_known")
        return await _open(tx, hook, item)
    words = [item.subject, item.said or ""]
    subject, said = await redact_texts(
        tx, cipher, ticket_id=ticket.ticket_id, texts=words, by_customer=item.action == "reply"
    )
    item = replace(item, subject=subject, said=said)
    return await _follow(tx, hook, item, ticket)


async def _open(tx: Transaction, hook: Hook, item: Item) -> PostedItemView:
    request = Request(
        subject=item.subject,
        description=item.description,
        channel=item.channel,
        contract_id=_uuid(item.contract) or hook.contract_id,
        contact_name=item.contact_name,
        contact_email=item.contact_email,
        facts=item.facts,
        source=_source(hook) | {"reference": item.thread},
        original={"reference": item.thread, "subject": item.subject, "text": item.said},
    )
    actor = f"webhook: {hook.name}"
    try:
        outcome: Taken | Kept = await take_request(tx, request=request, actor=actor)
    except (InvalidInput, NotFound, NoPolicyInForce) as error:
        told = "; ".join(dict.fromkeys([error.message, *(fault.message for fault in error.faults)]))
        bare = replace(request, contract_id=None, facts={})
        outcome = await keep_request(tx, request=bare, reason=error.code, note={"es": told, "en": told})
    if isinstance(outcome, Kept):
        foreign = Foreign(ticket_id=None, request_id=outcome.request_id)
        await intake.save_foreign(tx, source=hook.source, known={item.thread: foreign})
        return PostedItemView(thread=item.thread, **kept_view(outcome).model_dump())
    ticket = outcome.ticket
    foreign = Foreign(ticket_id=ticket.ticket_id, request_id=None)
    await intake.save_foreign(tx, source=hook.source, known={item.thread: foreign})
    if item.action == "answer":
        return await _follow(tx, hook, item, ticket)
    return _done(item, "ticket_opened", ticket)


async def _follow(tx: Transaction, hook: Hook, item: Item, ticket: Ticket) -> PostedItemView:
    """Add what a post says to the ticket it is about; what the lifecycle does not allow is noted."""
    by = By(actor=f"webhook: {hook.name}", customer_id=None)
    if item.action == "open" and ticket.state is not State.RESOLVED:
        return _done(item, "ignored", ticket, reason="already_open")
    try:
        async with changing_in(tx, ticket.ticket_id, by, follow_merge=True) as change:
            outcome, reason = await _act(change, item, by)
    except PlazoError as error:
        await _note(tx, ticket.ticket_id, item, by, reason=error.message)
        return _done(item, "noted", ticket, reason=error.code)
    return _done(item, outcome, change.after, reason=reason)


async def _act(change: Change, item: Item, by: By) -> tuple[str, str | None]:
    text = item.said or item.subject
    state = change.before.state
    if item.action == "open" or (item.action == "reply" and state is State.CLOSED):
        await reopen_ticket(change, reason=text, by=by)
        if item.action == "open":
            return "reopened", None
    if item.action == "reply":
        customer = By(actor=f"requester: {item.contact_name or item.contact_email or by.actor}", customer_id=None)
        hear_customer(change, text=text, channel=item.channel, by=customer)
        return "reply_added", None
    if item.action == "answer":
        change.act(Action.ANSWER)
        change.note("reply", by, text=text, channel=item.channel)
        change.announce(TicketAnswered(activity="reply", channel=item.channel, by=by.actor))
        return "answered", None
    if item.action == "resolve" and state not in (State.RESOLVED, State.CLOSED):
        policy = await change.policy()
        kinds = policy.lifecycle.resolution.kinds if policy.lifecycle and policy.lifecycle.resolution else ()
        await resolve_ticket(change, kind=kinds[0] if kinds else "fix", text=text, by=by)
        return "resolved", None
    change.note("internal_note", by, text=text, internal=True)
    return "noted", "already_over" if item.action == "resolve" else None


async def _note(tx: Transaction, ticket_id: UUID, item: Item, by: By, *, reason: str) -> None:
    entry = Entry(
        kind="internal_note",
        actor=by.actor,
        occurred_at=tx.now,
        internal=True,
        text=item.said or item.subject,
        data={"asked": item.action, "not_done": reason},
    )
    await tickets.add_entries(tx, ticket_id, [entry])


def _done(item: Item, outcome: Any, ticket: Ticket, *, reason: str | None = None) -> PostedItemView:
    return PostedItemView(
        thread=item.thread, outcome=outcome, ticket_id=ticket.ticket_id, number=ticket.number, reason=reason
    )


def _source(hook: Hook) -> dict[str, Any]:
    return {"kind": "webhook", "hook": hook.name, "hook_id": str(hook.hook_id)}


def _bounded(raw: Any) -> str:
    return clean_text(json.dumps(raw))[:_LONGEST_ORIGINAL]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
