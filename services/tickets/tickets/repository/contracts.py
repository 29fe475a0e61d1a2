"""Purchase orders, voided products, acceptances and earlier validities: what is recorded under a contract."""

from datetime import date, datetime
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.terms import Period, PurchaseOrder


async def insert_order(tx: Transaction, contract_id: UUID, order: PurchaseOrder, *, by: str) -> bool:
    """Write a purchase order; false if the contract has one of that number."""
    tag = await tx.connection.execute(
        "INSERT INTO purchase_order (contract_id, number, desk_id, valid_from, valid_until, events, used, recorded_by, "
        "recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        contract_id,
        order.number,
        tx.desk_id,
        order.period.valid_from,
        order.period.valid_until,
        order.events,
        order.used,
        by,
        tx.now,
    )
    return str(tag) == "INSERT 0 1"


async def use_order(tx: Transaction, contract_id: UUID, number: str) -> None:
    """Count one more event of an order; the caller holds the contract."""
    await tx.connection.execute(
        "UPDATE purchase_order SET used = used + 1 WHERE contract_id = $1 AND number = $2", contract_id, number
    )


async def list_orders(connection: Connection, contract_id: UUID) -> list[asyncpg.Record]:
    """Return the purchase orders of a contract, oldest first."""
    return await connection.fetch(
        "SELECT number, valid_from, valid_until, events, used, recorded_by, recorded_at FROM purchase_order "
        "WHERE contract_id = $1 ORDER BY recorded_at, number",
        contract_id,
    )


async def insert_period(tx: Transaction, contract_id: UUID, period: Period, *, by: str) -> None:
    """Write a validity that a renewal followed after a gap."""
    await tx.connection.execute(
        "INSERT INTO contract_period (contract_id, valid_from, valid_until, desk_id, renewed_by, renewed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        contract_id,
        period.valid_from,
        period.valid_until,
        tx.desk_id,
        by,
        tx.now,
    )


async def insert_acceptance(
    tx: Transaction, contract_id: UUID, *, name: str, accepted_by: str, accepted_at: datetime, by: str
) -> None:
    """Write that something was accepted; the first time holds."""
    await tx.connection.execute(
        "INSERT INTO contract_acceptance (contract_id, name, desk_id, accepted_by, accepted_at, recorded_by) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        contract_id,
        name,
        tx.desk_id,
        accepted_by,
        accepted_at,
        by,
    )


_VOID = "void_id, product, valid_from, valid_until, reason, recorded_by, recorded_at, lifted_for, lifted_by"


async def insert_void(
    tx: Transaction, contract_id: UUID, *, void_id: UUID, product: str, valid_from: date, reason: str, by: str
) -> None:
    """Write that a product has no support from a date on."""
    await tx.connection.execute(
        "INSERT INTO contract_void (void_id, desk_id, contract_id, product, valid_from, reason, recorded_by, "
        "recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        void_id,
        tx.desk_id,
        contract_id,
        product,
        valid_from,
        reason,
        by,
        tx.now,
    )


async def lift_void(tx: Transaction, void_id: UUID, *, lifted_from: date, reason: str, by: str) -> None:
    """Write that a product has support again from a date on."""
    await tx.connection.execute(
        "UPDATE contract_void SET valid_until = $2, lifted_for = $3, lifted_by = $4 WHERE void_id = $1",
        void_id,
        lifted_from,
        reason,
        by,
    )


async def list_voids(connection: Connection, contract_id: UUID) -> list[asyncpg.Record]:
    """Return the voided products of a contract, oldest first."""
    return await connection.fetch(
        f"SELECT {_VOID} FROM contract_void WHERE contract_id = $1 ORDER BY recorded_at, void_id", contract_id
    )


async def find_void(connection: Connection, contract_id: UUID, void_id: UUID) -> asyncpg.Record | None:
    """Return one of them."""
    return await connection.fetchrow(
        f"SELECT {_VOID} FROM contract_void WHERE contract_id = $1 AND void_id = $2", contract_id, void_id
    )


async def open_tickets_on(connection: Connection, contract_id: UUID, product: str) -> list[UUID]:
    """Return the tickets under a contract about a product that are not over, oldest first."""
    rows = await connection.fetch(
        "SELECT ticket_id FROM ticket WHERE contract_id = $1 AND facts->>'product' = $2 "
        "AND state NOT IN ('resolved', 'closed') ORDER BY ticket_id",
        contract_id,
        product,
    )
    return [row["ticket_id"] for row in rows]


async def put_product(tx: Transaction, *, name: str, title: str) -> asyncpg.Record:
    """Write a product of the catalog, or its new title."""
    row = await tx.connection.fetchrow(
        "INSERT INTO product (desk_id, name, title, created_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (desk_id, name) DO UPDATE SET title = excluded.title RETURNING name, title, created_at",
        tx.desk_id,
        name,
        title,
        tx.now,
    )
    assert row is not None, "the statement always returns the row"
    return row


async def list_products(connection: Connection) -> list[asyncpg.Record]:
    """Return the catalog, by name."""
    return await connection.fetch("SELECT name, title, created_at FROM product ORDER BY name")


async def product_names(connection: Connection) -> set[str]:
    """Return the names of the catalog."""
    return {row["name"] for row in await list_products(connection)}
