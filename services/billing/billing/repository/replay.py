"""What is kept of contracts, to make their ledger anew from it."""

from uuid import UUID

from billing.domain.funding import Lot
from billing.domain.ledger import StoredDraw
from billing.domain.parties import Account, Contract
from billing.domain.replay import Grant
from billing.repository import parties
from billing.repository.ledger import DRAW_COLUMNS, fields_to_draw
from plazo.runtime.database import Connection


async def contracts_with_accounts(connection: Connection) -> list[Contract]:
    """Return the contracts of the desk that have books."""
    rows = await connection.fetch("SELECT DISTINCT contract_id FROM account ORDER BY 1")
    found = [await parties.find_contract(connection, row["contract_id"]) for row in rows]
    return [contract for contract in found if contract is not None]


async def accounts_of(connection: Connection, contract_id: UUID) -> dict[UUID, Account]:
    """Return all accounts of a contract with what they hold."""
    rows = await connection.fetch(
        "SELECT account_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit, balance FROM account "
        "WHERE contract_id = $1",
        contract_id,
    )
    return {row["account_id"]: Account(**row) for row in rows}


async def grants_of(connection: Connection, contract_id: UUID) -> tuple[Grant, ...]:
    """Return the lots of a contract as they were granted."""
    rows = await connection.fetch(
        "SELECT l.account_id, l.lot_id, l.effective_from, l.expires_at, l.granted, a.counted_in "
        "FROM lot l JOIN account a USING (account_id) WHERE a.contract_id = $1",
        contract_id,
    )
    return tuple(
        Grant(
            account_id=row["account_id"],
            lot=Lot(row["lot_id"], row["effective_from"], row["expires_at"], row["granted"]),
            counted_in=row["counted_in"],
        )
        for row in rows
    )


async def draws_of(connection: Connection, contract_id: UUID) -> tuple[StoredDraw, ...]:
    """Return all draws of a contract."""
    rows = await connection.fetch(f"SELECT {DRAW_COLUMNS} FROM draw WHERE contract_id = $1", contract_id)
    return tuple(fields_to_draw(tuple(row)) for row in rows)


async def tickets_with_work(connection: Connection, contract_id: UUID) -> list[UUID]:
    """Return the tickets of a contract for which work was logged, or anything draws."""
    rows = await connection.fetch(
        "SELECT ticket_id FROM work JOIN ticket USING (ticket_id) WHERE contract_id = $1 "
        "UNION SELECT ticket_id FROM draw WHERE contract_id = $1 AND ticket_id IS NOT NULL ORDER BY 1",
        contract_id,
    )
    return [row["ticket_id"] for row in rows]
