"""Customers and their contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.terms import Period, PurchaseOrder, Terms, Void


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
    """A customer's contract. Dates are local to the policy's zone; ends are exclusive.

    `earlier` are validities before a gap, `voids` the products without support, `acceptances` who accepted what, when.
    """

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
    account: str | None = None
    agreed: dict[str, Any] | None = None
    earlier: tuple[Period, ...] = ()
    voids: tuple[Void, ...] = ()
    orders: tuple[PurchaseOrder, ...] = ()
    acceptances: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)

    @property
    def period(self) -> Period:
        """The validity that holds now, or held last."""
        return Period(self.valid_from, self.valid_until)

    def terms(self) -> Terms:
        """Return what rules may ask about."""
        return Terms(
            plan=self.plan,
            arrangement=self.arrangement,
            products=self.products,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            warranty_until=self.warranty_until,
            earlier=self.earlier,
            voids=self.voids,
        )


_CUSTOMER = "customer_id, name, segment, language, timezone, region, email, created_at"
_CONTRACT = (
    "contract_id, customer_id, policy, plan, arrangement, products, valid_from, valid_until, warranty_until, "
    "created_at, account, agreed"
)
_WHOLE_CONTRACT = f"""
SELECT {_CONTRACT},
  ARRAY(SELECT (p.valid_from, p.valid_until) FROM contract_period p WHERE p.contract_id = contract.contract_id
        ORDER BY p.valid_from) AS earlier,
  ARRAY(SELECT (v.product, v.valid_from, v.valid_until) FROM contract_void v
        WHERE v.contract_id = contract.contract_id ORDER BY v.recorded_at) AS voids,
  ARRAY(SELECT (o.number, o.valid_from, o.valid_until, o.events, o.used) FROM purchase_order o
        WHERE o.contract_id = contract.contract_id ORDER BY o.recorded_at, o.number) AS orders,
  ARRAY(SELECT (a.name, a.accepted_by, a.accepted_at) FROM contract_acceptance a
        WHERE a.contract_id = contract.contract_id ORDER BY a.accepted_at) AS acceptances
FROM contract
"""
_UPDATE_CONTRACT = """
UPDATE contract SET plan = $2, arrangement = $3, products = $4, valid_from = $5, valid_until = $6, warranty_until = $7,
  account = $8, agreed = $9
WHERE contract_id = $1
"""
_UPDATE_CUSTOMER = """
UPDATE customer SET name = $2, segment = $3, language = $4, timezone = $5, region = $6, email = $7
WHERE customer_id = $1
"""
_INSERT_CUSTOMER = f"""
INSERT INTO customer (desk_id, {_CUSTOMER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_INSERT_CONTRACT = f"""
INSERT INTO contract (desk_id, {_CONTRACT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_LIST_CUSTOMERS = f"""
SELECT {_CUSTOMER} FROM customer
WHERE ($1::timestamptz IS NULL OR (created_at, customer_id) > ($1, $2)) AND ($3::uuid IS NULL OR customer_id = $3)
ORDER BY created_at, customer_id LIMIT $4
"""
_LIST_CONTRACTS = f"""
{_WHOLE_CONTRACT}
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
        contract.account,
        contract.agreed,
    )


async def update_customer(tx: Transaction, customer: Customer) -> None:
    """Write a changed customer."""
    await tx.connection.execute(
        _UPDATE_CUSTOMER,
        customer.customer_id,
        customer.name,
        customer.segment,
        customer.language,
        customer.timezone,
        customer.region,
        customer.email,
    )


async def update_contract(tx: Transaction, contract: Contract) -> None:
    """Write a changed contract."""
    await tx.connection.execute(
        _UPDATE_CONTRACT,
        contract.contract_id,
        contract.plan,
        contract.arrangement,
        contract.products,
        contract.valid_from,
        contract.valid_until,
        contract.warranty_until,
        contract.account,
        contract.agreed,
    )


def _contract(row: asyncpg.Record) -> Contract:
    return Contract(
        **{
            **row,
            "products": tuple(row["products"]),
            "earlier": tuple(Period(*one) for one in row["earlier"]),
            "voids": tuple(Void(product, Period(begin, end)) for product, begin, end in row["voids"]),
            "orders": tuple(
                PurchaseOrder(number, Period(begin, end), events, used)
                for number, begin, end, events, used in row["orders"]
            ),
            "acceptances": {name: (by, at) for name, by, at in row["acceptances"]},
        }
    )


async def find_customer(connection: Connection, customer_id: UUID, *, lock: bool = False) -> Customer | None:
    """Return a customer of the desk; `lock` holds its row until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_CUSTOMER} FROM customer WHERE customer_id = $1{suffix}", customer_id)
    return None if row is None else Customer(**row)


async def find_contract(connection: Connection, contract_id: UUID) -> Contract | None:
    """Return a contract of the desk."""
    row = await connection.fetchrow(f"{_WHOLE_CONTRACT} WHERE contract_id = $1", contract_id)
    return None if row is None else _contract(row)


async def hold_contract(
    connection: Connection, contract_id: UUID, *, lock: Literal["UPDATE", "KEY SHARE"]
) -> Customer | None:
    """Hold a contract until the end of the transaction, and return its customer; read the contract afterwards.

    `UPDATE` is for who records something under it; `KEY SHARE` keeps such a one out, and nobody else.
    """
    columns = ", ".join(f"c.{column}" for column in _CUSTOMER.split(", "))
    row = await connection.fetchrow(
        f"SELECT {columns} FROM contract k JOIN customer c ON c.customer_id = k.customer_id "
        f"WHERE k.contract_id = $1 FOR {lock} OF k",
        contract_id,
    )
    return None if row is None else Customer(**row)


async def policy_names(connection: Connection) -> list[str]:
    """Return the names of the policies published in the desk."""
    rows = await connection.fetch("SELECT DISTINCT policy FROM policy_version ORDER BY policy")
    return [row["policy"] for row in rows]


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
    return [_contract(row) for row in rows]


async def contracts_of(connection: Connection, customer_id: UUID) -> list[Contract]:
    """Return the contracts of a customer, newest first."""
    rows = await connection.fetch(
        f"{_WHOLE_CONTRACT} WHERE customer_id = $1 ORDER BY created_at DESC, contract_id DESC", customer_id
    )
    return [_contract(row) for row in rows]
