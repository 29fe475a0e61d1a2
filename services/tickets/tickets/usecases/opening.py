"""Opening a ticket."""

from dataclasses import dataclass
from uuid import UUID

from plazo.events.tickets import TicketOpened
from plazo.kernel.errors import InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain import opening
from tickets.domain.lifecycle import State
from tickets.domain.ticket import Facts, Ticket
from tickets.repository import parties, tickets
from tickets.repository.tickets import Entry
from tickets.schemas.tickets import TicketCreate, TicketView
from tickets.usecases.reading import ticket_view


class NoPolicyInForce(PlazoError):
    """The contract's policy has no version that is effective yet."""

    kind = Kind.CONFLICT
    code = "no-policy-in-force"


class NotTaken(PlazoError):
    """The contract does not let the request in; it is kept, with the reason and the clause."""

    kind = Kind.FORBIDDEN
    code = "request-not-taken"


@dataclass(frozen=True, slots=True)
class Terms:
    """A contract, its customer and the policy version in force for it."""

    contract: parties.Contract
    customer: parties.Customer
    policy: Policy

    def for_rules(self) -> opening.Terms:
        """Return what rules may ask about."""
        contract = self.contract
        return opening.Terms(
            plan=contract.plan,
            arrangement=contract.arrangement,
            products=contract.products,
            valid_from=contract.valid_from,
            valid_until=contract.valid_until,
            warranty_until=contract.warranty_until,
        )


async def open_ticket(uow: UnitOfWork, *, body: TicketCreate, actor: str, customer_id: UUID | None) -> TicketView:
    """Open a ticket under a contract, with all that its policy decides about it.

    `customer_id` confines a requester to its own contracts.

    :raises NotFound: for an unknown contract
    :raises InvalidInput: with every stated fact that is unknown or cannot be
    :raises NoPolicyInForce: before the policy's first version
    :raises NotTaken: if the intake rules refuse it; the request is kept and can be looked up
    """
    refusal: opening.Refusal | None = None
    async with uow.begin() as tx:
        terms = await _terms(tx, body.contract_id, customer_id=customer_id)
        if faults := opening.stated_faults(terms.policy, body.facts):
            raise InvalidInput("the stated facts do not fit the policy", faults=faults)
        given = _given(body, terms)
        decided = opening.decide(terms.policy, given=given, terms=terms.for_rules(), at=tx.now)
        if decided.refusal is not None:
            refusal = decided.refusal
            request_id = new_id()
            await tickets.keep_request(
                tx,
                request_id=request_id,
                outcome=refusal.outcome,
                reason=refusal.reason,
                clauses=refusal.clauses,
                body=body.model_dump(mode="json"),
            )
        else:
            view = await _open(tx, body=body, terms=terms, given=given, decided=decided, actor=actor)
            tx.answer = view.model_dump(mode="json")
    if refusal is not None:
        note = refusal.note.get(terms.customer.language) or refusal.reason
        raise NotTaken(f"{note} (kept as {request_id}, {refusal.outcome})", clause=", ".join(refusal.clauses))
    return view


async def _terms(tx: Transaction, contract_id: UUID, *, customer_id: UUID | None) -> Terms:
    contract = await parties.find_contract(tx.connection, contract_id)
    if contract is None or (customer_id is not None and contract.customer_id != customer_id):
        raise NotFound(f"there is no contract {contract_id}")
    customer = await parties.find_customer(tx.connection, contract.customer_id)
    assert customer is not None, "a contract always has its customer"
    policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
    if policy is None:
        raise NoPolicyInForce(f"no version of policy {contract.policy} is effective on {tx.now.date()}")
    return Terms(contract=contract, customer=customer, policy=policy)


def _given(body: TicketCreate, terms: Terms) -> Facts:
    given: Facts = {"channel": body.channel, "language": body.language or terms.customer.language, "authorized": True}
    if terms.customer.segment is not None:
        given["segment"] = terms.customer.segment
    return given | body.facts


async def _open(
    tx: Transaction,
    *,
    body: TicketCreate,
    terms: Terms,
    given: Facts,
    decided: opening.Opening,
    actor: str,
) -> TicketView:
    policy, customer = terms.policy, terms.customer
    prefix = policy.numbering.prefix if policy.numbering else policy.clauses
    ticket = Ticket(
        ticket_id=new_id(),
        number=f"{prefix}-{await tickets.next_number(tx)}",
        version=1,
        state=State.NEW,
        cycle=1,
        subject=body.subject,
        description=body.description,
        channel=body.channel,
        customer_id=customer.customer_id,
        customer_name=customer.name,
        contact_name=body.contact_name,
        contact_email=body.contact_email or customer.email,
        contract_id=terms.contract.contract_id,
        policy=policy.policy,
        policy_version=policy.version,
        language=str(given["language"]),
        given=given,
        facts=decided.facts,
        covered=decided.covered,
        clocks=decided.clocks,
        admission=decided.admission,
        opened_at=tx.now,
        decisions=decided.decisions,
    )
    await tickets.insert_ticket(tx, ticket)
    await tickets.add_entries(
        tx,
        ticket.ticket_id,
        [
            Entry(
                kind="opened", actor=actor, occurred_at=tx.now, text=body.description, data={"channel": body.channel}
            ),
            *(
                Entry(
                    kind=f"decided_{decision.about}",
                    actor=f"policy {policy.policy} {policy.version}",
                    occurred_at=tx.now,
                    text=decision.value,
                    data={"rule": decision.rule, "clauses": list(decision.clauses)},
                )
                for decision in decided.decisions
            ),
        ],
    )
    tx.emit(
        TicketOpened(
            ticket_id=ticket.ticket_id,
            number=ticket.number,
            subject=ticket.subject,
            description=ticket.description,
            customer_id=ticket.customer_id,
            customer_name=ticket.customer_name,
            contact_name=ticket.contact_name,
            contact_email=ticket.contact_email,
            contract_id=ticket.contract_id,
            policy=ticket.policy,
            policy_version=ticket.policy_version,
            facts=ticket.facts,
            covered=ticket.covered,
            clocks=ticket.clocks,
            admission=decided.admission,
            opened_at=ticket.opened_at,
            language=ticket.language,
            customer_timezone=customer.timezone,
            customer_region=customer.region,
        ),
        about=ticket.ticket_id,
        occurred_at=tx.now,
    )
    return ticket_view(ticket)
