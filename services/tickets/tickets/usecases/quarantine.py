"""What was kept of requests that did not become tickets: released, or dismissed; nothing that arrived is lost."""

from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.acceptance import Request
from tickets.repository import contacts, kept, parties
from tickets.repository.contacts import Contact
from tickets.repository.kept import KeptRequest
from tickets.schemas.quarantine import DismissalCreate, KeptRequestView, ReleaseCreate
from tickets.usecases.attaching import attach_kept_files
from tickets.usecases.contacts import (
    Caller,
    decided,
    new_contact,
    require_administrator,
    save_contact,
    with_confirmed,
)
from tickets.usecases.keeping import REQUEST, Kept
from tickets.usecases.opening import take_request
from tickets.usecases.placing import named_address


class AlreadySettled(PlazoError):
    """Something else became of the request."""

    kind = Kind.CONFLICT
    code = "request-already-settled"


async def release(uow: UnitOfWork, *, request_id: UUID, body: ReleaseCreate, caller: Caller) -> KeptRequestView:
    """Open the ticket that a kept request asked for, with the instant it was received; releasing twice is once.

    The desk's people may release whatever the rules of acceptance say. The customer's administrator lets the sender
    through (EXP-01), and the other rules hold. With `authorize` the sender may ask from now on.

    :raises NotFound: for an unknown request, contract or contact
    :raises AlreadySettled: if it was dismissed
    :raises InvalidInput: if nothing says whose customer it is
    :raises NotTaken: if a rule that the customer cannot lift does not take it
    """
    async with uow.begin() as tx:
        found = await _held(tx, request_id, caller)
        if found.state == "dismissed":
            raise AlreadySettled("the request was dismissed")
        if found.state == "kept":
            found = await _release(tx, found, body, caller)
        view = kept_view(found)
        tx.answer = view.model_dump(mode="json")
    return view


async def _release(tx: Transaction, found: KeptRequest, body: ReleaseCreate, caller: Caller) -> KeptRequest:
    stored: Request = REQUEST.validate_python(found.body)
    request = replace(
        stored,
        contract_id=body.contract_id or stored.contract_id,
        contact_id=body.contact_id or stored.contact_id or found.contact_id,
        received_at=found.received_at,
        authorized_by=caller.actor,
        accepted_by=caller.actor if caller.customer_id is None else None,
        source=stored.source | {"request_id": str(found.request_id)},
    )
    if body.authorize:
        sender = await _authorize_sender(tx, request, caller)
        request = replace(request, contact_id=sender.contact_id)
    outcome = await take_request(tx, request=request, actor=caller.actor, only_customer=caller.customer_id)
    if isinstance(outcome, Kept):
        if not outcome.clauses:
            fault = Fault("/contract_id", "expected the contract to open the ticket under")
            raise InvalidInput("nothing says whose request it is", faults=[fault])
        raise outcome.error()
    ticket = outcome.ticket
    await attach_kept_files(
        tx,
        found.original.get("files", ()),
        ticket_id=ticket.ticket_id,
        actor=caller.actor,
        contact_id=ticket.contact_id,
    )
    settled = replace(
        found,
        state="released",
        ticket_id=outcome.ticket.ticket_id,
        settled_by=caller.actor,
        settled_at=tx.now,
    )
    await kept.settle_kept(tx, settled)
    return settled


async def _authorize_sender(tx: Transaction, request: Request, caller: Caller) -> Contact:
    """Authorize who sent a request; one that was not known becomes a contact of the contract's customer.

    The desk's people confirm the sender's address with it, a customer's administrator does not.
    """
    sender = await _known_sender(tx, request, caller)
    if sender is not None:
        await require_administrator(tx.connection, caller, sender.customer_id)
        authorized = sender
    else:
        contract = await parties.find_contract(tx.connection, request.contract_id) if request.contract_id else None
        customer_id = contract.customer_id if contract else request.customer_id
        email = (request.contact_email or request.told_email or "").lower() or None
        if customer_id is None or email is None:
            expected = "expected a request with a sender's address and a contract; name a contact instead"
            raise InvalidInput("nobody can be authorized for this request", faults=[Fault("/authorize", expected)])
        await require_administrator(tx.connection, caller, customer_id)
        sender = await contacts.find_unconfirmed(tx.connection, email, customer_id=customer_id)
        if sender is None:
            sender = new_contact(
                tx,
                caller,
                customer_id=customer_id,
                name=request.contact_name or email,
                emails=(email,),
                language=request.language,
                authorized=True,
            )
            await save_contact(tx, sender, is_new=True)
            return sender
        authorized = with_confirmed(sender, (email,)) if caller.customer_id is None else sender
    if not sender.may_ask:
        authorized = decided(tx, authorized, caller, authorized=True)
    if authorized != sender:
        authorized = replace(authorized, version=sender.version + 1)
        await save_contact(tx, authorized, is_new=False)
    return authorized


async def _known_sender(tx: Transaction, request: Request, caller: Caller) -> Contact | None:
    """Return the contact that sent a request, to be changed; to a customer nobody else's is one.

    :raises NotFound: for one that is named, and unknown to the caller
    """
    contact_id, customer_id = request.contact_id, caller.customer_id
    if contact_id is None:
        address, customer_id = named_address(request, only_customer=caller.customer_id)
        found = await contacts.find_contact_by_email(tx.connection, address) if address is not None else None
        if found is None or customer_id not in (None, found.customer_id):
            return None
        contact_id = found.contact_id
    sender = await contacts.find_contact(tx.connection, contact_id, lock=True)
    if sender is None or customer_id not in (None, sender.customer_id):
        raise NotFound(f"there is no contact {contact_id}")
    return sender


async def dismiss(uow: UnitOfWork, *, request_id: UUID, body: DismissalCreate, caller: Caller) -> KeptRequestView:
    """Say that a kept request does not become a ticket; dismissing twice is once.

    :raises AlreadySettled: if it was released
    """
    async with uow.begin() as tx:
        found = await _held(tx, request_id, caller)
        if found.state == "released":
            raise AlreadySettled(f"the request was released as ticket {found.ticket_id}")
        if found.state == "kept":
            found = replace(
                found, state="dismissed", settled_by=caller.actor, settled_for=body.reason, settled_at=tx.now
            )
            await kept.settle_kept(tx, found)
        view = kept_view(found)
        tx.answer = view.model_dump(mode="json")
    return view


async def _held(tx: Transaction, request_id: UUID, caller: Caller) -> KeptRequest:
    found = _visible(await kept.find_kept(tx.connection, request_id, lock=True), request_id, caller)
    if caller.customer_id is not None:
        await require_administrator(tx.connection, caller, caller.customer_id)
    return found


def _visible(found: KeptRequest | None, request_id: UUID, caller: Caller) -> KeptRequest:
    if found is None or (caller.customer_id is not None and found.customer_id != caller.customer_id):
        raise NotFound(f"there is no kept request {request_id}")
    return found


async def read_kept(uow: UnitOfWork, *, request_id: UUID, caller: Caller) -> KeptRequestView:
    """Return a kept request. :raises NotFound: :raises Forbidden: for a requester who is no administrator"""
    async with uow.read() as connection:
        found = _visible(await kept.find_kept(connection, request_id), request_id, caller)
        await _check_reader(connection, caller)
    return kept_view(found)


async def list_kept(
    uow: UnitOfWork,
    *,
    caller: Caller,
    after: tuple[datetime, UUID] | None,
    state: str | None,
    outcome: str | None,
    limit: int,
) -> list[KeptRequestView]:
    """Return kept requests, oldest first; a customer's administrator sees its own. :raises Forbidden:"""
    async with uow.read() as connection:
        await _check_reader(connection, caller)
        rows = await kept.list_kept(
            connection, after=after, state=state, outcome=outcome, customer_id=caller.customer_id, limit=limit
        )
    return [kept_view(row) for row in rows]


async def _check_reader(connection: Connection, caller: Caller) -> None:
    if caller.customer_id is not None:
        await require_administrator(connection, caller, caller.customer_id)


def kept_view(found: KeptRequest) -> KeptRequestView:
    """Return a kept request as it is shown."""
    return KeptRequestView(**asdict(found) | {"clauses": list(found.clauses)})
