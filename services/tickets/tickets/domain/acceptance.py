"""Who may ask, and by which channel: a request as each channel brings it, and the facts that follow from its sender."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from plazo.policy.decide import first_match, rule_against_unauthorized, rule_against_unordered
from plazo.policy.document import Policy
from plazo.policy.intake import AcceptanceRule
from tickets.domain.ticket import Facts

_HIGHER_LEVELS = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, whatever channel brought it.

    The contract is named, or chosen from those of the customer or the contact. `contact_email` is where it was sent
    from, or what the desk's people say; `told_email` an address that was given with the key of the customer
    (`customer_id`): it names a contact of that customer, or is just what was said. `is_vouched_for` is false where no
    key stands for the sender: an address that is not known then is not authorized. `sent_to` is the mail address it was
    written to, whose facts are stated with it (SKE-08). `about_ticket` is the number of a ticket it is about,
    `relation` what it then is of it.
    `authorized_by` let this one request through for its sender, `accepted_by` took it in whatever the rules of
    acceptance say. `opened_at` and `number` are those of a ticket that was kept elsewhere before; `has_clocks` is false
    where it was over. `source` says where it came from, `original` is what arrived.
    """

    subject: str
    description: str
    channel: str
    contract_id: UUID | None = None
    customer_id: UUID | None = None
    contact_id: UUID | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    told_email: str | None = None
    is_vouched_for: bool = True
    sent_to: str | None = None
    language: str | None = None
    facts: Facts = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    checklist: dict[str, bool] = field(default_factory=dict)
    purchase_order: str | None = None
    about_ticket: str | None = None
    relation: str = "related"
    received_at: datetime | None = None
    opened_at: datetime | None = None
    number: str | None = None
    authorized_by: str | None = None
    accepted_by: str | None = None
    has_clocks: bool = True
    source: dict[str, Any] = field(default_factory=dict)
    original: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken as a ticket."""

    outcome: Literal["refused", "quarantined"]
    reason: str
    note: Mapping[str, str]
    clauses: tuple[str, ...]


def is_authorized(
    *, contact_may_ask: bool | None, names_unknown_sender: bool, customer_has_contacts: bool, is_vouched_for: bool
) -> bool:
    """Decide the fact `authorized`. EXP-01, SMA-02, SMA-03

    A known contact asks by its own right (`contact_may_ask`; None where the sender is no contact). A sender who is
    named and not known is not authorized where the customer has said who is, or where no key stands for it. Otherwise
    the key that brought the request does.
    """
    if contact_may_ask is not None:
        return contact_may_ask
    if names_unknown_sender and customer_has_contacts:
        return False
    return is_vouched_for


def refusal_of(rule: AcceptanceRule | None) -> Refusal | None:
    """Return why the deciding rule does not take a request; None if it does, or there is none."""
    if rule is None or rule.accept is True:
        return None
    return Refusal(
        outcome="refused" if rule.accept == "refuse" else "quarantined",
        reason=rule.reason or "not_accepted",
        note=rule.note.model_dump() if rule.note else {},
        clauses=rule.clause,
    )


def refusal(policy: Policy, facts: Mapping[str, bool | int | str]) -> Refusal | None:
    """Return why the rules of acceptance do not take a request; None if they do."""
    found = first_match(policy.intake.acceptance, facts)
    return refusal_of(found.rule if found else None)


def own_refusal(policy: Policy, facts: Facts, *, by_contact: bool) -> Refusal | None:
    """Return why a customer may not ask with its own key for what a rule of acceptance takes; None if it may.

    The caller chooses the channel and the ticket that it names, so neither stands for the right to ask (EXP-01) of the
    contact whose key it is (`by_contact`), nor for a purchase order (PRO-05).
    """
    rule = None
    if by_contact and facts.get("authorized") is not True:
        rule = rule_against_unauthorized(policy, facts)
    return refusal_of(rule or rule_against_unordered(policy, facts))


def level_refusal(policy: Policy, facts: Facts, *, channel: str) -> Refusal | None:
    """Return why a contact about a ticket is not taken by `channel` at its level, though a higher one would. SKE-05

    `facts` are the ticket's. A channel that no level offers for new requests is none of this rule's business: the desk
    may still call its customer.
    """
    asked = facts | {"channel": channel, "existing_ticket": True}
    refused = refusal(policy, asked)
    if refused is None:
        return None
    level = facts.get("level", 1)
    higher = [one for one in _HIGHER_LEVELS if not isinstance(level, int) or one > level]
    return refused if any(refusal(policy, asked | {"level": one}) is None for one in higher) else None


def stated_by_address(policy: Policy, address: str | None) -> Facts:
    """Return the facts that writing to a mail address states. SKE-08"""
    wanted = (address or "").strip().lower()
    return next((dict(one.sets) for one in policy.intake.addresses if one.address == wanted), {})


def takes_mail_at(policy: Policy, address: str | None) -> bool:
    """Tell whether a mail address is one of the policy's."""
    return any(one.address == (address or "").strip().lower() for one in policy.intake.addresses)
