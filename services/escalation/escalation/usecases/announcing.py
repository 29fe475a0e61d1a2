"""Telling of what is about no ticket: a policy that changes, a request that became none, a balance that is low."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from escalation.domain.addressees import CUSTOMER_ROLES, Addressee, language_of
from escalation.domain.messages import balance_words, local_time
from escalation.domain.ticket import Agent
from escalation.repository import agents, contacts, templates, tickets
from escalation.repository.tickets import Customer
from escalation.usecases.digesting import keep_message
from escalation.usecases.stepping import escalate_event
from escalation.usecases.telling import make_message, occasion_of
from escalation.usecases.wording import word_message
from plazo.events.billing import AccountLow
from plazo.events.ticket_intake import RequestQuarantined, RequestRefused
from plazo.policy.decide import first_match
from plazo.policy.diff import diff_policies
from plazo.policy.document import Policy
from plazo.runtime.inbox import NotYet
from plazo.runtime.policies import find_policy, known_policy, policy_id, policy_in_force
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def tell_of_revision(tx: Transaction, *, old: Policy, new: Policy) -> None:
    """Tell every customer under a policy that it changes, and how. PRO-01"""
    found = first_match(new.notifications, {"event": "policy.published"})
    if found is None:
        return
    rule = found.rule
    values = {
        "policy": new.policy,
        "policy_version": new.version,
        "effective_from": _day(new.effective_from),
        "changes": "; ".join(str(change) for change in diff_policies(old, new)),
        "clause": ", ".join(rule.clause),
        "role": "all_customers",
    }
    cause = f"policy:{new.policy}:{new.version}"
    occasion = occasion_of(rule, new, cause=cause, event="policy.published", clauses=rule.clause)
    own = await templates.newest_version(tx.connection, occasion.template_name)
    others: Sequence[tuple[str | None, str]]
    for customer in await tickets.customers_under(tx.connection, policy=new.policy, on=new.effective_from):
        own_address = (customer.email, customer.language)
        others = () if customer.email else await contacts.administrators_of(tx.connection, customer.customer_id)
        for address, spoken in others or (own_address,):
            addressee = Addressee("all_customers", "customer", address, spoken)
            filled = {**values, "customer": customer.name}
            wording = word_message(occasion.template, filled, language=language_of(spoken), own=own)
            message = make_message(
                tx, occasion, addressee, policy=new, wording=wording, customer_id=customer.customer_id
            )
            await keep_message(tx, message, about=policy_id(tx.desk_id, new.policy))


async def tell_of_request(uow: UnitOfWork, event: RequestQuarantined | RequestRefused, *, cause: UUID) -> None:
    """Answer whoever sent a request that is kept and no ticket, as the policy it came under says. EXP-01

    :raises NotYet: if the policy has yet to come
    """
    async with uow.begin() as tx:
        policy = await _policy_of(tx, event)
        if policy is None:
            return
        found = first_match(policy.notifications, {"event": event.name})
        if found is None:
            return
        rule, language = found.rule, language_of(event.language)
        clauses = event.clauses or rule.clause
        occasion = occasion_of(rule, policy, cause=str(cause), event=event.name, clauses=clauses)
        own = await templates.newest_version(tx.connection, occasion.template_name)
        values = {
            "subject": event.subject,
            "description": event.subject,
            "opened_at": local_time(event.received_at, zone=policy.timezone),
            "reason": event.note.get(language) or event.reason,
            "policy": policy.policy,
            "policy_version": policy.version,
            "contact": event.contact_name or "",
            "clause": ", ".join(clauses),
        }
        wording = word_message(occasion.template, values, language=language, own=own)
        for address in await _addresses(tx, event, rule.to):
            message = make_message(tx, occasion, address, policy=policy, wording=wording, customer_id=event.customer_id)
            await keep_message(tx, message, about=event.request_id)


async def tell_of_low_balance(uow: UnitOfWork, event: AccountLow, *, cause: UUID, at: datetime) -> None:
    """Tell whom the policy of a contract names that a balance is low, and do what the matrix orders for its tickets.

    :raises NotYet: if the contract or its policy has yet to come
    """
    async with uow.begin() as tx:
        named = await tickets.policy_of_contract(tx.connection, event.contract_id)
        policy = await policy_in_force(tx.connection, policy=named, at=at) if named else None
        if policy is None:
            raise NotYet(f"contract {event.contract_id} and its policy")
        for ticket in await tickets.lock_tickets_under(tx, event.contract_id):
            own_policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
            await escalate_event(tx, ticket, own_policy, trigger="low_balance", cause=cause, at=at)
        found = first_match(policy.notifications, {"event": event.name})
        if found is None:
            return
        customer = await tickets.find_customer(tx.connection, event.customer_id)
        if customer is None:
            raise NotYet(f"customer {event.customer_id}")
        rule = found.rule
        clauses = (event.clause,) if event.clause else rule.clause
        occasion = occasion_of(rule, policy, cause=str(cause), event=event.name, clauses=clauses)
        own = await templates.newest_version(tx.connection, occasion.template_name)
        staff = await agents.list_staff(tx.connection, at=tx.now)
        administrators = await contacts.administrators_of(tx.connection, customer.customer_id)
        for addressee in _concerned(
            rule.to, policy=policy, staff=staff, customer=customer, administrators=administrators
        ):
            language = language_of(addressee.language)
            values = {
                "customer": customer.name,
                "reason": balance_words(
                    event.account_name, event.balance, event.threshold, unit=event.unit, language=language
                ),
                "policy": policy.policy,
                "policy_version": policy.version,
                "clause": ", ".join(clauses),
                "role": addressee.role,
            }
            wording = word_message(occasion.template, values, language=language, own=own)
            message = make_message(
                tx, occasion, addressee, policy=policy, wording=wording, customer_id=event.customer_id
            )
            await keep_message(tx, message, about=event.account_id)


def _concerned(
    roles: Sequence[str],
    *,
    policy: Policy,
    staff: Sequence[Agent],
    customer: Customer,
    administrators: Sequence[tuple[str, str]],
) -> list[Addressee]:
    """Return who is told of what is about a customer, not a ticket: the provider's address where nobody has a role."""
    found = []
    for role in roles:
        if administrators and (role == "customer_administrator" or (role in CUSTOMER_ROLES and not customer.email)):
            found += [Addressee(role, "customer", address, language) for address, language in administrators]
            continue
        if role in CUSTOMER_ROLES:
            found.append(Addressee(role, "customer", customer.email, customer.language))
            continue
        people: list[str | None] = [agent.email for agent in staff if agent.is_available and role in agent.roles]
        found += [
            Addressee(role, "provider", address, policy.language) for address in people or [policy.provider.email]
        ]
    return found


async def _policy_of(tx: Transaction, event: RequestQuarantined | RequestRefused) -> Policy | None:
    if event.policy is None:
        return None
    if event.policy_version is None:
        return await policy_in_force(tx.connection, policy=event.policy, at=event.received_at)
    found = await find_policy(tx.connection, policy=event.policy, version=event.policy_version)
    if found is None:
        raise NotYet(f"policy {event.policy} {event.policy_version}")
    return found


async def _addresses(
    tx: Transaction, event: RequestQuarantined | RequestRefused, roles: tuple[str, ...]
) -> list[Addressee]:
    """Return the sender, and who speaks for the customer; nobody else heard of the request."""
    found = []
    if "requester" in roles and event.contact_email:
        found.append(Addressee("requester", "customer", event.contact_email, event.language))
    if "customer_administrator" in roles and event.customer_id is not None:
        own = await tickets.customer_email(tx.connection, event.customer_id)
        people = await contacts.administrators_of(tx.connection, event.customer_id)
        known = people or ([(own, event.language)] if own else [])
        found += [Addressee("customer_administrator", "customer", address, spoken) for address, spoken in known]
    return found


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
