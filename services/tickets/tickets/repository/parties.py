"""Customers and their contracts."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of the desk; `region` names the holiday layer that holds where it is."""

    customer_id: UUID
    name: str
    segment: str | None
    language: str
    timezone: str | None
    region: str | None
    email: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Contract:
    """A customer's contract. Dates are local to the policy's zone; ends are exclusive."""

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    arrangement: str
    products: tuple[str, ...]
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    created_at: datetime


_CUSTOMER = "customer_id, name, segment, language, timezone, region, email, created_at"
_CONTRACT = (
    "contract_id, customer_id, policy, plan, arrangement, products, valid_from, valid_until, warranty_until, created_at"
)
_INSERT_CUSTOMER = f"""
INSERT INTO customer (desk_id, {_CUSTOMER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_INSERT_CONTRACT = f"""
INSERT INTO contract (desk_id, {_CONTRACT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_LIST_CUSTOMERS = f"""
SELECT {_CUSTOMER} FROM customer
WHERE ($1::timestamptz IS NULL OR (created_at, customer_id) > ($1, $2)) AND ($3::uuid IS NULL OR customer_id = $3)
ORDER BY created_at, customer_id LIMIT $4
"""
_LIST_CONTRACTS = f"""
SELECT {_CONTRACT} FROM contract
WHERE ($1::timestamptz IS NULL OR (created_at, contract_id) > ($1, $2)) AND ($3::uuid IS NULL OR customer_id = $3)
ORDER BY created_at, contract_id LIMIT $4
"""


async def insert_customer(tx: Transaction, customer: Customer) -> None:
    """Write a new customer."""
    await tx.connection.execute(
        _INSERT_CUSTOMER,
        tx.desk_id,
        customer.customer_id,
        customer.name,
        customer.segment,
        customer.language,
        customer.timezone,
        customer.region,
        customer.email,
        customer.created_at,
    )


async def insert_contract(tx: Transaction, contract: Contract) -> None:
    """Write a new contract."""
    await tx.connection.execute(
        _INSERT_CONTRACT,
        tx.desk_id,
        contract.contract_id,
        contract.customer_id,
        contract.policy,
        contract.plan,
        contract.arrangement,
        contract.products,
        contract.valid_from,
        contract.valid_until,
        contract.warranty_until,
        contract.created_at,
    )


async def find_customer(connection: Connection, customer_id: UUID) -> Customer | None:
    """Return a customer of the desk."""
    row = await connection.fetchrow(f"SELECT {_CUSTOMER} FROM customer WHERE customer_id = $1", customer_id)
    return None if row is None else Customer(**row)


async def find_contract(connection: Connection, contract_id: UUID) -> Contract | None:
    """Return a contract of the desk."""
    row = await connection.fetchrow(f"SELECT {_CONTRACT} FROM contract WHERE contract_id = $1", contract_id)
    return None if row is None else Contract(**{**row, "products": tuple(row["products"])})


async def list_customers(
    connection: Connection, *, after: tuple[datetime, UUID] | None, only: UUID | None, limit: int
) -> list[Customer]:
    """Return customers by age, those behind `after`; `only` confines a requester to its own."""
    created_at, customer_id = after or (None, None)
    rows = await connection.fetch(_LIST_CUSTOMERS, created_at, customer_id, only, limit)
    return [Customer(**row) for row in rows]


async def list_contracts(
    connection: Connection, *, after: tuple[datetime, UUID] | None, customer_id: UUID | None, limit: int
) -> list[Contract]:
    """Return contracts by age, those behind `after`, of one customer if given."""
    created_at, contract_id = after or (None, None)
    rows = await connection.fetch(_LIST_CONTRACTS, created_at, contract_id, customer_id, limit)
    return [Contract(**{**row, "products": tuple(row["products"])}) for row in rows]
