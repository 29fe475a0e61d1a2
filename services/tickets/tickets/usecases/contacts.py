"""The people of customers: who they are, and who may open and answer tickets (EXP-01, SMA-02)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from plazo.events.ticket_intake import ContactRegistered
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime.call import check_version
from plazo.runtime.database import Connection
from plazo.runtime.identity import Forbidden
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.repository import contacts, parties
from tickets.repository.contacts import Contact
from tickets.schemas.parties import (
    AuthorizationView,
    ContactChange,
    ContactCreate,
    ContactRole,
    ContactView,
    EmailConfirmation,
)


class AddressTaken(PlazoError):
    """An address names one contact of the desk; another has it."""

    kind = Kind.CONFLICT
    code = "address-taken"


class AdministratorMayAsk(PlazoError):
    """The customer's administrator may always ask; it has to become a member first."""

    kind = Kind.CONFLICT
    code = "administrator-may-ask"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts: a name for the record; for a requester its customer, and its own contact if its key has one."""

    actor: str
    customer_id: UUID | None = None
    contact_id: UUID | None = None
    if_match: str | None = None


async def require_administrator(connection: Connection, caller: Caller, customer_id: UUID) -> None:
    """Let staff pass, and the administrator of the customer itself.

    :raises NotFound: for a requester of another customer
    :raises Forbidden: for one whose key belongs to no administrator
    """
    if caller.customer_id is None:
        return
    if caller.customer_id != customer_id:
        raise NotFound(f"there is no customer {customer_id}")
    own = await contacts.find_contact(connection, caller.contact_id) if caller.contact_id else None
    if own is None or own.customer_id != customer_id or own.role != "administrator":
        raise Forbidden("this takes a key that belongs to the customer's administrator, or the desk's own people")


async def register_contact(uow: UnitOfWork, *, body: ContactCreate, caller: Caller) -> ContactView:
    """Register a person of a customer, authorized or not. It is known by addresses that the desk gives, or confirms.

    :raises NotFound: for an unknown customer
    :raises AddressTaken: if the desk gives an address that another contact has
    """
    async with uow.begin() as tx:
        await require_administrator(tx.connection, caller, body.customer_id)
        if await parties.find_customer(tx.connection, body.customer_id) is None:
            raise NotFound(f"there is no customer {body.customer_id}")
        contact = new_contact(
            tx,
            caller,
            customer_id=body.customer_id,
            name=body.name,
            emails=addresses_of(body.emails),
            phone=body.phone,
            language=body.language,
            role=body.role,
            authorized=body.authorized,
        )
        await save_contact(tx, contact, is_new=True)
        view = contact_view(contact)
        tx.answer = view.model_dump(mode="json")
    return view


def new_contact(
    tx: Transaction,
    caller: Caller,
    *,
    customer_id: UUID,
    name: str,
    emails: tuple[str, ...],
    phone: str | None = None,
    language: str | None = None,
    role: str = "member",
    authorized: bool = False,
) -> Contact:
    """Return a contact not yet written; whoever authorizes it at once is recorded."""
    confirmed, unconfirmed = told_apart(emails, caller)
    contact = Contact(
        contact_id=new_id(),
        customer_id=customer_id,
        version=1,
        name=name,
        emails=confirmed,
        unconfirmed_emails=unconfirmed,
        phone=phone,
        language=language,
        role=role,
        authorized=False,
        decided_by=None,
        decided_by_contact=None,
        decided_at=None,
        created_at=tx.now,
    )
    return decided(tx, contact, caller, authorized=True) if authorized else contact


def decided(tx: Transaction, contact: Contact, caller: Caller, *, authorized: bool) -> Contact:
    """Return a contact as somebody decided about it, with who that was and when."""
    return replace(
        contact,
        authorized=authorized,
        decided_by=caller.actor,
        decided_by_contact=caller.contact_id,
        decided_at=tx.now,
    )


async def change_contact(uow: UnitOfWork, *, contact_id: UUID, body: ContactChange, caller: Caller) -> ContactView:
    """Change a contact's particulars. `emails` are all it shall have: what is confirmed of them stays so.

    :raises NotFound: for an unknown contact
    :raises AddressTaken: if the desk gives an address that another contact has
    :raises StaleVersion: if it was changed meanwhile
    """
    async with uow.begin() as tx:
        contact = await _held(tx, contact_id, caller)
        changes = body.model_dump(exclude_unset=True)
        if "emails" in changes:
            changes["emails"], changes["unconfirmed_emails"] = told_apart(
                addresses_of(body.emails or []), caller, confirmed=contact.emails
            )
        changed = replace(contact, **changes, version=contact.version + 1)
        await save_contact(tx, changed, is_new=False)
        view = contact_view(changed)
        tx.answer = view.model_dump(mode="json")
    return view


async def confirm_addresses(
    uow: UnitOfWork, *, contact_id: UUID, body: EmailConfirmation, caller: Caller
) -> ContactView:
    """Confirm that addresses which the customer gave are its contact's; all, unless some are named. Twice is once.

    :raises NotFound: for an unknown contact
    :raises InvalidInput: for an address that nobody gave for it
    :raises AddressTaken: if another contact has one of them
    """
    async with uow.begin() as tx:
        contact = await _held(tx, contact_id, caller)
        named = contact.unconfirmed_emails if body.emails is None else addresses_of(body.emails)
        faults = [
            Fault(f"/emails/{index}", "expected an address that was given for this contact")
            for index, email in enumerate(named)
            if email not in contact.emails + contact.unconfirmed_emails
        ]
        if faults:
            raise InvalidInput("only addresses that were given for the contact are confirmed", faults=faults)
        confirmed = with_confirmed(contact, named)
        if confirmed != contact:
            confirmed = replace(confirmed, version=contact.version + 1)
            await save_contact(tx, confirmed, is_new=False)
        view = contact_view(confirmed)
        tx.answer = view.model_dump(mode="json")
    return view


def with_confirmed(contact: Contact, emails: tuple[str, ...]) -> Contact:
    """Return a contact that is known by further addresses."""
    new = tuple(email for email in emails if email not in contact.emails)
    left = tuple(email for email in contact.unconfirmed_emails if email not in new)
    return replace(contact, emails=contact.emails + new, unconfirmed_emails=left)


async def authorize_contact(uow: UnitOfWork, *, contact_id: UUID, caller: Caller) -> ContactView:
    """Let a contact open and answer tickets; who allowed it is recorded. Twice is once.

    :raises Forbidden: for a requester who is not the customer's administrator
    """
    return await _decide(uow, contact_id=contact_id, caller=caller, authorized=True)


async def withdraw_authorization(uow: UnitOfWork, *, contact_id: UUID, caller: Caller) -> ContactView:
    """Let a contact no longer open and answer tickets. :raises AdministratorMayAsk: for an administrator"""
    return await _decide(uow, contact_id=contact_id, caller=caller, authorized=False)


async def _decide(uow: UnitOfWork, *, contact_id: UUID, caller: Caller, authorized: bool) -> ContactView:
    async with uow.begin() as tx:
        contact = await _held(tx, contact_id, caller)
        if not authorized and contact.role == "administrator":
            raise AdministratorMayAsk(f"{contact.name} is its customer's administrator; PATCH its role to member first")
        if contact.authorized != authorized:
            contact = replace(decided(tx, contact, caller, authorized=authorized), version=contact.version + 1)
            await save_contact(tx, contact, is_new=False)
        view = contact_view(contact)
        tx.answer = view.model_dump(mode="json")
    return view


async def _held(tx: Transaction, contact_id: UUID, caller: Caller) -> Contact:
    contact = await contacts.find_contact(tx.connection, contact_id, lock=True)
    if (
        contact is None
        or contact.is_erased
        or (caller.customer_id is not None and contact.customer_id != caller.customer_id)
    ):
        raise NotFound(f"there is no contact {contact_id}")
    await require_administrator(tx.connection, caller, contact.customer_id)
    check_version(caller.if_match, contact.version)
    return contact


async def save_contact(tx: Transaction, contact: Contact, *, is_new: bool) -> None:
    """Write a contact and announce it. :raises AddressTaken: if another contact has one of its addresses"""
    write = contacts.insert_contact if is_new else contacts.update_contact
    if taken := await write(tx, contact):
        raise AddressTaken(
            f"another contact of the desk has {', '.join(taken)}",
            faults=[Fault("/emails", f"{address} names another contact") for address in taken],
        )
    tx.emit(
        ContactRegistered(
            contact_id=contact.contact_id,
            customer_id=contact.customer_id,
            contact_name=contact.name,
            emails=contact.emails,
            phone=contact.phone,
            language=contact.language,
            role=cast("ContactRole", contact.role),
            authorized=contact.authorized,
        ),
        about=contact.contact_id,
        occurred_at=tx.now,
    )


async def read_contact(uow: UnitOfWork, *, contact_id: UUID, caller: Caller) -> ContactView:
    """Return a contact. :raises NotFound: also for one that the caller may not see"""
    async with uow.read() as connection:
        contact = await contacts.find_contact(connection, contact_id)
        only = await _only_contact(connection, caller)
    if (
        contact is None
        or (caller.customer_id is not None and contact.customer_id != caller.customer_id)
        or (only is not None and contact.contact_id != only)
    ):
        raise NotFound(f"there is no contact {contact_id}")
    return contact_view(contact)


async def list_contacts(
    uow: UnitOfWork, *, caller: Caller, customer_id: UUID | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[ContactView]:
    """Return the contacts that a caller may see, by age, those behind `after`; of one customer if given."""
    async with uow.read() as connection:
        found = await contacts.list_contacts(
            connection,
            after=after,
            customer_id=caller.customer_id or customer_id,
            only=await _only_contact(connection, caller),
            limit=limit,
        )
    return [contact_view(contact) for contact in found]


async def _only_contact(connection: Connection, caller: Caller) -> UUID | None:
    """Return the one contact that a person of a customer sees, itself; its customer's administrator sees them all."""
    if caller.contact_id is None:
        return None
    own = await contacts.find_contact(connection, caller.contact_id)
    is_administrator = own is not None and own.customer_id == caller.customer_id and own.role == "administrator"
    return None if is_administrator else caller.contact_id


def addresses_of(emails: list[str]) -> tuple[str, ...]:
    """Return addresses in small letters. :raises InvalidInput: for one that is there twice"""
    small = [email.lower() for email in emails]
    faults = [
        Fault(f"/emails/{index}", "expected each address once; letter case does not count")
        for index, email in enumerate(small)
        if email in small[:index]
    ]
    if faults:
        raise InvalidInput("an address is given twice", faults=faults)
    return tuple(small)


def told_apart(
    emails: tuple[str, ...], caller: Caller, *, confirmed: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those addresses by which a contact is known, and those that wait for the desk to confirm them.

    What a customer says is known by it is not asked whether another customer's person is: else it would get that
    person's mail, or learn from the refusal who is known here.
    """
    if caller.customer_id is None:
        return emails, ()
    return (
        tuple(email for email in emails if email in confirmed),
        tuple(email for email in emails if email not in confirmed),
    )


def contact_view(contact: Contact) -> ContactView:
    """Return a contact as it is shown."""
    return ContactView(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        version=contact.version,
        name=contact.name,
        emails=list(contact.emails),
        unconfirmed_emails=list(contact.unconfirmed_emails),
        phone=contact.phone,
        language=contact.language,
        role=contact.role,
        may_ask=contact.may_ask,
        authorization=AuthorizationView(
            authorized=contact.authorized,
            decided_by=contact.decided_by,
            decided_by_contact=contact.decided_by_contact,
            decided_at=contact.decided_at,
        ),
        created_at=contact.created_at,
    )
