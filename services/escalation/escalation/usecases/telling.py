"""Telling people: wording a message for each addressee and keeping it, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from escalation.domain.addressees import Addressee, find_addressees, language_of
from escalation.domain.messages import Language, held_reason, kind_words, ticket_values, worded
from escalation.domain.ticket import FactValue, Ticket
from escalation.repository import agents, contacts, templates, tickets
from escalation.repository.messages import Message
from escalation.usecases.digesting import hold_back, keep_message
from escalation.usecases.wording import Wording, word_message
from plazo.events.envelope import Event
from plazo.kernel.ids import derived_id
from plazo.policy.decide import first_match
from plazo.policy.document import Policy
from plazo.policy.handling import PLACEHOLDERS, ChannelName, NotificationRule, Template
from plazo.runtime.unit_of_work import Transaction

Values = Callable[[Language], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a message is about.

    `cause` is the one thing it follows from, however often that is seen: nobody is told of it twice by one channel.
    `at` is the contract time of what is told, where that is not the present.
    """

    cause: str
    event: str
    template_name: str
    template: Template
    channel: ChannelName
    clauses: tuple[str, ...]
    escalation_id: UUID | None = None
    position: int | None = None
    at: datetime | None = None


async def tell(
    tx: Transaction, ticket: Ticket, policy: Policy, *, occasion: Occasion, roles: Iterable[str], values: Values
) -> tuple[str, ...]:
    """Tell those behind `roles`; returns the roles that were told, or that nobody could be found for.

    The provider's own people may be told later, with other things, where the policy or a storm has it so.
    """
    staff = await agents.list_staff(tx.connection, at=tx.now)
    email = await tickets.customer_email(tx.connection, ticket.customer_id)
    administrators = await contacts.administrators_of(tx.connection, ticket.customer_id)
    own = await templates.newest_version(tx.connection, occasion.template_name)
    told = tuple(dict.fromkeys(roles))
    drafts: dict[str, Message] = {}
    for role in told:
        for addressee in find_addressees(
            role,
            ticket=ticket,
            policy=policy,
            staff=staff,
            customer_email=email,
            administrators=administrators,
        ):
            language = language_of(addressee.language)
            filled = {
                **ticket_values(ticket, policy, language=language),
                "customer": ticket.customer_name,
                "contact": ticket.contact_name or "",
                "role": role,
                "clause": ", ".join(occasion.clauses),
                **values(language),
            }
            wording = word_message(occasion.template, filled, language=language, own=own)
            draft = make_message(tx, occasion, addressee, policy=policy, wording=wording, ticket=ticket)
            drafts.setdefault(draft.dedupe_key, draft)
    held = await hold_back(
        tx,
        ticket,
        policy,
        messages=list(drafts.values()),
        channel=occasion.channel,
        at=max(tx.now, occasion.at or tx.now),
    )
    for draft in drafts.values():
        await keep_message(tx, replace(draft, window_id=held.get(draft.message_id)), about=ticket.ticket_id)
    return told


async def tell_of_event(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    event: Event,
    cause: UUID,
    facts: Mapping[str, FactValue] | None = None,
) -> None:
    """Tell of something that happened to a ticket, as the first notification rule that matches says.

    What happened in another desk, before it was brought here, is told to nobody.
    """
    if getattr(event, "imported", False):
        return
    known = {**ticket.facts, "level": ticket.level, "event": event.name, **(facts or {})}
    found = first_match(policy.notifications, known)
    if found is None:
        return
    clause = getattr(event, "clause", None)
    occasion = occasion_of(
        found.rule, policy, cause=str(cause), event=event.name, clauses=(clause,) if clause else found.rule.clause
    )

    def values(language: Language) -> dict[str, str]:
        return _event_values(event, ticket, policy, language=language)

    await tell(tx, ticket, policy, occasion=occasion, roles=found.rule.to, values=values)


def occasion_of(
    rule: NotificationRule, policy: Policy, *, cause: str, event: str, clauses: tuple[str, ...]
) -> Occasion:
    """Return the occasion that a notification rule makes of something."""
    return Occasion(
        cause=cause,
        event=event,
        template_name=rule.template,
        template=policy.templates[rule.template],
        channel=rule.channel,
        clauses=clauses,
    )


def _event_values(event: Event, ticket: Ticket, policy: Policy, *, language: Language) -> dict[str, str]:
    zone = ticket.customer_timezone or policy.timezone
    filled = {}
    for name in PLACEHOLDERS & type(event).model_fields.keys():
        value = getattr(event, name)
        if name in ("subject", "description", "opened_at", "policy", "policy_version", "clause") or value is None:
            continue
        if name == "reason":
            filled[name] = held_reason(policy, str(value), language=language)
        elif name == "kind":
            filled[name] = kind_words(str(value), language=language)
        else:
            filled[name] = worded(value, zone=zone, language=language)
    return filled


def make_message(
    tx: Transaction,
    occasion: Occasion,
    addressee: Addressee,
    *,
    policy: Policy,
    wording: Wording,
    ticket: Ticket | None = None,
    customer_id: UUID | None = None,
) -> Message:
    """Make the message that tells somebody of an occasion; it fails at once where no address is known."""
    # Two roles of one person are one message; two customers that share an address are two.
    person = addressee.address or f"role:{addressee.role}"
    key = ":".join(_parts(occasion.cause, customer_id, occasion.channel, person))
    return Message(
        message_id=derived_id("message", tx.desk_id, key),
        ticket_id=ticket.ticket_id if ticket else None,
        customer_id=ticket.customer_id if ticket else customer_id,
        escalation_id=occasion.escalation_id,
        position=occasion.position,
        event=occasion.event,
        template=occasion.template_name,
        role=addressee.role,
        channel=occasion.channel,
        address=addressee.address,
        language=language_of(addressee.language),
        subject=wording.words.subject,
        body=wording.words.body,
        clauses=occasion.clauses,
        state="queued" if addressee.address else "failed",
        failure=None if addressee.address else f"no address is known for the {addressee.role}",
        dedupe_key=key,
        queued_at=tx.now,
        sender=policy.provider.email,
        html=wording.html,
        note=wording.note,
    )


def _parts(*parts: object) -> Sequence[str]:
    return [str(part) for part in parts if part is not None]
