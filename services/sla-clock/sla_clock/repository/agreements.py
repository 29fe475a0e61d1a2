"""Contracts as far as this service needs them, and the availability agreed for them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from plazo.runtime.database import Connection

_KEEP_CONTRACT = """
INSERT INTO contract (contract_id, desk_id, customer_id, policy, valid_from) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (contract_id) DO UPDATE SET customer_id = excluded.customer_id, policy = excluded.policy,
                                        valid_from = excluded.valid_from
"""
_FIND_CONTRACT = "SELECT contract_id, customer_id, policy, valid_from FROM contract WHERE contract_id = $1"
_HAS_POLICY = "SELECT EXISTS (SELECT FROM contract WHERE customer_id = $1 AND policy = $2)"
_AGREE = """
INSERT INTO availability_agreement (contract_id, component, since, desk_id, agreed_percent, agreed_by, agreed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (contract_id, component, since) DO UPDATE SET agreed_percent = excluded.agreed_percent,
                                                          agreed_by = excluded.agreed_by, agreed_at = excluded.agreed_at
"""
_LIST = """
SELECT contract_id, component, since, agreed_percent, agreed_by, agreed_at FROM availability_agreement
WHERE ($1::uuid IS NULL OR contract_id = $1)
  AND ($2::uuid IS NULL OR (contract_id, component, since) > ($2, $3::text, $4::date))
ORDER BY contract_id, component, since LIMIT $5
"""
_OF_CONTRACT = "SELECT since, agreed_percent FROM availability_agreement WHERE contract_id = $1 AND component = $2"


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract: whose it is, and the policy that says how its availability is measured."""

    contract_id: UUID
    customer_id: UUID
    policy: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class Agreement:
    """The availability agreed from the month of `since` on; `component` is empty for all of the contract."""

    contract_id: UUID
    component: str
    since: date
    agreed_percent: Decimal
    agreed_by: str
    agreed_at: datetime


async def keep_contract(connection: Connection, contract: Contract, *, desk_id: UUID) -> None:
    """Write a contract; the newest holds."""
    await connection.execute(
        _KEEP_CONTRACT, contract.contract_id, desk_id, contract.customer_id, contract.policy, contract.valid_from
    )


async def find_contract(connection: Connection, contract_id: UUID) -> Contract | None:
    """Return a contract, None if there is no such in the desk."""
    row = await connection.fetchrow(_FIND_CONTRACT, contract_id)
    return None if row is None else Contract(**dict(row))


async def has_policy(connection: Connection, *, customer_id: UUID, policy: str) -> bool:
    """Tell whether a customer has, or had, a contract under a policy."""
    found: bool = await connection.fetchval(_HAS_POLICY, customer_id, policy)
    return found


async def save_agreement(connection: Connection, agreement: Agreement, *, desk_id: UUID) -> None:
    """Write what is agreed from a month on."""
    await connection.execute(
        _AGREE,
        agreement.contract_id,
        agreement.component,
        agreement.since,
        desk_id,
        agreement.agreed_percent,
        agreement.agreed_by,
        agreement.agreed_at,
    )


async def list_agreements(
    connection: Connection, *, contract_id: UUID | None, after: tuple[UUID, str, date] | None, limit: int
) -> list[Agreement]:
    """Return agreements by contract, component and month."""
    rows = await connection.fetch(_LIST, contract_id, *(after or (None, None, None)), limit)
    return [Agreement(**dict(row)) for row in rows]


async def agreed_percents(
    connection: Connection, *, contract_id: UUID, component: str | None
) -> list[tuple[date, Decimal]]:
    """Return what was ever agreed for a contract, or a component of it, with the month from which on."""
    rows = await connection.fetch(_OF_CONTRACT, contract_id, component or "")
    return [(row["since"], row["agreed_percent"]) for row in rows]
