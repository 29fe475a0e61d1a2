"""Telling people: wording a message for each addressee and keeping it, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from escalation.domain.addressees import Addressee, find_addressees, language_of
from escalation.domain.messages import Language, Words, held_reason, kind_words, render, ticket_values, worded
from escalation.domain.ticket import FactValue, Ticket
from escalation.repository import agents, messages, tickets
from escalation.repository.messages import Message
from plazo.events.envelope import Event
from plazo.events.escalation import MessageQueued
from plazo.kernel.ids import derived_id
from plazo.policy.decide import first_match
from plazo.policy.diff import diff_policies
from plazo.policy.document import Policy
from plazo.policy.handling import PLACEHOLDERS, Template
from plazo.runtime.unit_of_work import Transaction

Values = Callable[[Language], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a message is about.

    `cause` is the one thing it follows from, however often that is seen: nobody is told of it twice by one channel.
    """

    cause: str
    event: str
    template_name: str
    template: Template
    channel: str
    clauses: tuple[str, ...]
    escalation_id: UUID | None = None
    position: int | None = None


async def tell(
    tx: Transaction, ticket: Ticket, policy: Policy, *, occasion: Occasion, roles: Iterable[str], values: Values
) -> tuple[str, ...]:
    """Tell those behind `roles`; returns the roles that were told, or that nobody could be found for."""
    staff = await agents.list_staff(tx.connection)
    email = await tickets.customer_email(tx.connection, ticket.customer_id)
    told = tuple(dict.fromkeys(roles))
    for role in told:
        for addressee in find_addressees(role, ticket=ticket, policy=policy, staff=staff, customer_email=email):
            language = language_of(addressee.language)
            filled = {
                **ticket_values(ticket, policy, language=language),
                "clause": ", ".join(occasion.clauses),
                **values(language),
            }
            message = _message(
                tx, occasion, addressee, words=render(occasion.template, filled, language=language), ticket=ticket
            )
            if await messages.insert_message(tx, message):
                tx.emit(
                    MessageQueued(
                        ticket_id=ticket.ticket_id,
                        message_id=message.message_id,
                        template=message.template,
                        channel=message.channel,
                        to=message.address or f"role:{role}",
                        subject=message.subject,
                        clauses=message.clauses,
                        event=message.event,
                        role=role,
                    ),
                    about=ticket.ticket_id,
                    occurred_at=tx.now,
                )
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
    """Tell of something that happened to a ticket, as the first notification rule that matches says."""
    known = {**ticket.facts, "level": ticket.level, "event": event.name, **(facts or {})}
    found = first_match(policy.notifications, known)
    if found is None:
        return
    rule = found.rule
    clause = getattr(event, "clause", None)
    occasion = Occasion(
        cause=str(cause),
        event=event.name,
        template_name=rule.template,
        template=policy.templates[rule.template],
        channel=rule.channel,
        clauses=(clause,) if clause else rule.clause,
    )

    def values(language: Language) -> dict[str, str]:
        return _event_values(event, ticket, policy, language=language)

    await tell(tx, ticket, policy, occasion=occasion, roles=rule.to, values=values)


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
            filled[name] = worded(value, zone=zone)
    return filled


async def tell_of_revision(tx: Transaction, *, old: Policy, new: Policy) -> None:
    """Tell every customer under a policy that it changes, and how. PRO-01"""
    found = first_match(new.notifications, {"event": "policy.published"})
    if found is None:
        return
    rule = found.rule
    changes = "; ".join(str(change) for change in diff_policies(old, new))
    values = {
        "policy": new.policy,
        "policy_version": new.version,
        "effective_from": _day(new.effective_from),
        "changes": changes,
        "clause": ", ".join(rule.clause),
    }
    occasion = Occasion(
        cause=f"policy:{new.policy}:{new.version}",
        event="policy.published",
        template_name=rule.template,
        template=new.templates[rule.template],
        channel=rule.channel,
        clauses=rule.clause,
    )
    for customer in await tickets.customers_under(tx.connection, policy=new.policy, on=new.effective_from):
        addressee = Addressee("all_customers", "customer", customer.email, customer.language)
        words = render(occasion.template, values, language=language_of(customer.language))
        message = _message(tx, occasion, addressee, words=words, customer_id=customer.customer_id)
        await messages.insert_message(tx, message)


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _message(
    tx: Transaction,
    occasion: Occasion,
    addressee: Addressee,
    *,
    words: Words,
    ticket: Ticket | None = None,
    customer_id: UUID | None = None,
) -> Message:
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
        subject=words.subject,
        body=words.body,
        clauses=occasion.clauses,
        state="sent" if addressee.address else "failed",
        failure=None if addressee.address else f"no address is known for the {addressee.role}",
        dedupe_key=key,
        queued_at=tx.now,
        sent_at=tx.now if addressee.address else None,
    )


def _parts(*parts: object) -> Sequence[str]:
    return [str(part) for part in parts if part is not None]
