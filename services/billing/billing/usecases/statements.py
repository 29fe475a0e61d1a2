"""Statements: what happened to a contract's accounts in a month."""

from uuid import UUID

from billing import schemas
from billing.domain.accounts import month_named
from billing.repository import parties, statements
from billing.usecases.accounts import bring_up_to_date
from plazo.kernel.errors import NotFound
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork


async def read_statement(
    uow: UnitOfWork, *, contract_id: UUID, month: str, customer_id: UUID | None
) -> schemas.StatementView:
    """Return the statement of a contract for a month of its policy's zone, as it is known now.

    :raises NotFound: for a contract that the caller may not see, or whose policy is not in force
    """
    async with uow.begin() as tx:
        contract = await parties.find_contract(tx.connection, contract_id, lock=True)
        if contract is None or customer_id not in {None, contract.customer_id}:
            raise NotFound(f"there is no contract {contract_id}")
        policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
        if policy is None:
            raise NotFound(f"no version of policy {contract.policy} is in force on {tx.now.date()}")
        await bring_up_to_date(tx, contract)
        span = month_named(month, policy.timezone)
        rows = await statements.sum_accounts(tx.connection, contract_id, begins_at=span.start, ends_at=span.end)
        uses = await statements.sum_tickets(
            tx.connection, [row["account_id"] for row in rows], begins_at=span.start, ends_at=span.end
        )
    accounts = [
        schemas.AccountStatementView(
            **row,
            by_ticket=[
                schemas.TicketUseView(ticket_id=use["ticket_id"], number=use["number"], quantity=use["quantity"])
                for use in uses
                if use["account_id"] == row["account_id"]
            ],
        )
        for row in rows
    ]
    return schemas.StatementView(
        contract_id=contract_id, month=span.name, begins_at=span.start, ends_at=span.end, accounts=accounts
    )
