"""The mail addresses of a desk."""

from plazo.kernel.errors import Kind, NotFound, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.repository import intake, parties
from tickets.schemas.intake import AddressCreate, AddressView


class AddressTaken(PlazoError):
    """A mail address belongs to one desk of the installation, and is given to no other."""

    kind = Kind.CONFLICT
    code = "address-taken"


async def add_address(uow: UnitOfWork, *, body: AddressCreate) -> AddressView:
    """Give an address to the desk. :raises AddressTaken: :raises NotFound: for an unknown contract"""
    async with uow.begin() as tx:
        if body.contract_id is not None and await parties.find_contract(tx.connection, body.contract_id) is None:
            raise NotFound(f"there is no contract {body.contract_id}")
        if not await intake.put_address(tx, body.address, contract_id=body.contract_id):
            # The same whoever has it: this desk sees its own in the list, and another desk's are none of its business.
            expected = "addresses are one space for the whole installation, ask its operator"
            raise AddressTaken(f"{body.address} cannot be given to this desk: {expected}")
        view = AddressView(address=body.address, contract_id=body.contract_id, created_at=tx.now)
        tx.answer = view.model_dump(mode="json")
    return view


async def remove_address(uow: UnitOfWork, *, address: str) -> None:
    """Take an address from the desk. :raises NotFound:"""
    async with uow.begin() as tx:
        if not await intake.remove_address(tx, address.lower()):
            raise NotFound(f"{address} is no address of this desk")
