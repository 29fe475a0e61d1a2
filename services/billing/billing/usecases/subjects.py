"""What work is for: a ticket under a contract, both locked, and what may be said of the work."""

from dataclasses import dataclass
from uuid import UUID

from billing.domain.parties import Contract, Ticket
from billing.domain.rating import Work
from billing.repository import parties
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.policy.document import Policy
from plazo.policy.facts import BUILT_IN
from plazo.runtime.unit_of_work import Transaction


class NoContract(PlazoError):
    """The ticket has no contract that says what work costs."""

    kind = Kind.CONFLICT
    code = "no-contract"


@dataclass(frozen=True, slots=True)
class Subject:
    """A ticket that may be worked on, and its contract, both locked."""

    ticket: Ticket
    contract: Contract


async def find_subject(tx: Transaction, ticket_id: UUID) -> Subject:
    """Return a ticket with its contract, whose books are ours until the transaction ends.

    :raises NotFound: if there is no such ticket
    :raises NoContract: if it has no contract
    """
    found = await parties.find_subject(tx.connection, ticket_id)
    if found is None:
        ticket = await parties.find_ticket(tx.connection, ticket_id)
        if ticket is None:
            raise NotFound(f"there is no ticket {ticket_id}")
        raise NoContract(f"ticket {ticket.number} has no contract that says what work costs")
    contract, ticket = found
    return Subject(ticket=ticket, contract=contract)


def check_facts(policy: Policy, work: Work) -> None:
    """Refuse facts of work that the policy does not know, and one that only an accepted quote can state.

    :raises InvalidInput: with all of them
    """
    known = ", ".join(sorted(policy.facts)) or "none of its own"
    message = f"policy {policy.policy} knows no such fact; beside the common ones it declares {known}"
    faults = [
        Fault(pointer=f"/facts/{name}", message=message)
        for name in work.facts
        if name not in BUILT_IN and name not in policy.facts
    ]
    if "quote_accepted" in work.facts:
        message = "it follows from a quote that the customer accepted; name that in quote_id"
        faults.append(Fault(pointer="/facts/quote_accepted", message=message))
    if faults:
        raise InvalidInput("the facts of the work do not fit the policy", faults=faults)
