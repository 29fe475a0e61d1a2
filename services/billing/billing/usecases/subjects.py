"""What work is for: a ticket under a contract, both locked, and what may be said of the work."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from billing.domain.parties import Contract, Ticket
from billing.domain.rating import Work
from billing.repository import parties
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.policy.document import Policy
from plazo.policy.facts import Fact
from plazo.policy.references import complaint_of, facts_of
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
    """Refuse facts of work that the policy does not know or that cannot be so, and one that only a quote can state.

    :raises InvalidInput: with all of them
    """
    if not work.facts:
        return
    known = facts_of(policy.model_dump(mode="json"))
    faults = [
        Fault(pointer=f"/facts/{name}", message=complaint)
        for name, value in work.facts.items()
        if (complaint := _complaint(policy, known, name, value))
    ]
    if faults:
        raise InvalidInput("the facts of the work do not fit the policy", faults=faults)


def _complaint(policy: Policy, known: Mapping[str, Fact], name: str, value: object) -> str | None:
    if name == "quote_accepted":
        return "it follows from a quote that the customer accepted; name that in quote_id"
    if name not in known:
        declared = ", ".join(sorted(policy.facts)) or "none of its own"
        return f"policy {policy.policy} knows no such fact; beside the common ones it declares {declared}"
    return complaint_of(name, known[name], value)
