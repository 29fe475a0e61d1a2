"""Every service's copy of the policy versions that `tickets` published."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.events.tickets import PolicyPublished
from plazo.kernel.ids import derived_id
from plazo.kernel.kept import Kept
from plazo.policy.document import Policy
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.database import Connection
from plazo.runtime.inbox import NotYet
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_INSERT = """
INSERT INTO policy_version (desk_id, policy, version, effective_from, document)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""

_EARLIEST_ZONE = timedelta(hours=14)  # a date begins there first


_parse = Kept(Policy.model_validate_json, most=10_000_000)  # some hundreds; each takes seven times its text


async def insert_policy(
    tx: Transaction, *, policy: str, version: str, effective_from: date, document: dict[str, Any]
) -> bool:
    """Keep a published version; false if the desk has that version already."""
    tag = await tx.connection.execute(_INSERT, tx.desk_id, policy, version, effective_from, document)
    return str(tag) == "INSERT 0 1"


async def find_policy(connection: Connection, *, policy: str, version: str) -> Policy | None:
    """Return a version of a policy of the desk that the transaction names."""
    document = await connection.fetchval(
        "SELECT document::text FROM policy_version WHERE policy = $1 AND version = $2", policy, version
    )
    return None if document is None else _parse(document)


async def known_policy(connection: Connection, *, policy: str, version: str) -> Policy:
    """Return a version of a policy that an event names. :raises NotYet: if its publication has not come yet"""
    found = await find_policy(connection, policy=policy, version=version)
    if found is None:
        raise NotYet(f"policy {policy} {version}")
    return found


async def policy_in_force(connection: Connection, *, policy: str, at: datetime) -> Policy | None:
    """Return the version in force at an instant: the newest that is effective on that date in its own zone."""
    rows = await connection.fetch(
        "SELECT document::text AS document FROM policy_version WHERE policy = $1 AND effective_from <= $2 "
        "ORDER BY effective_from DESC, published_at DESC LIMIT 10",
        policy,
        (at + _EARLIEST_ZONE).date(),
    )
    versions = (_parse(row["document"]) for row in rows)
    return next((version for version in versions if version.effective_from <= local_date(version, at)), None)


def local_date(policy: Policy, at: datetime) -> date:
    """Return the date of an instant in the policy's zone."""
    return at.astimezone(load_zone(policy.timezone)).date()


async def _on_policy_published(uow: UnitOfWork, received: Received[PolicyPublished]) -> None:
    event = received.payload
    async with uow.begin() as tx:
        await insert_policy(
            tx,
            policy=event.policy,
            version=event.policy_version,
            effective_from=event.effective_from,
            document=event.document,
        )


def policy_id(desk_id: UUID, policy: str) -> UUID:
    """Return the aggregate id of a policy of a desk."""
    return derived_id("policy", desk_id, policy)


HANDLERS: dict[str, Handlers] = {"tickets": {PolicyPublished: _on_policy_published}}
