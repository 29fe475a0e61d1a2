"""What charges are measured on: a durable PostgreSQL, and a desk of billing with one busy contract and many others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from harness import prepared_settings

from billing.domain.parties import Contract, Ticket
from billing.schemas.accounts import GrantCreate
from billing.schemas.work import WorkCreate
from billing.usecases import accounts, admission, contracts, work
from billing.usecases.books import Why
from plazo.kernel.ids import new_id
from plazo.local.nats import Nats
from plazo.local.postgres import Postgres
from plazo.policy.load import load_policy
from plazo.runtime.database import Database
from plazo.runtime.policies import insert_policy
from plazo.runtime.unit_of_work import Cause, UnitOfWork

BARE = "bare"
WRITERS = 8
NOW = datetime(2026, 6, 2, 13, tzinfo=UTC)
MAY = datetime(2026, 5, 4, 13, tzinfo=UTC)
ENTRIES = 100_000
_POLICY = """
policy: bench
version: "1"
effective_from: 2020-01-01
timezone: America/Lima
language: es
provider: {name: Bench}
clauses: SMA
calendars: {elapsed: {hours: 24x7}}
billing:
  account: {unit: credit_unit, clause: SMA-14}
  work: {minimum: 1 unit, increment: 1h, scope: ticket, clause: SMA-16}
"""
_STRICT = _POLICY.replace("policy: bench", "policy: strict") + "  overage: [{allowed: false, clause: SMA-14}]\n"
_COPY_CONTRACTS = """
INSERT INTO contract (contract_id, desk_id, customer_id, policy, plan, arrangement, valid_from)
SELECT id, c.desk_id, c.customer_id, c.policy, c.plan, c.arrangement, c.valid_from
FROM contract c, unnest($2::uuid[]) AS id WHERE c.contract_id = $1
"""
_COPY_TICKETS = """
INSERT INTO ticket (ticket_id, desk_id, number, customer_id, contract_id, policy, policy_version, facts, opened_at,
                    admission, held_clauses)
SELECT copy.ticket_id, t.desk_id, t.number, t.customer_id, copy.contract_id, t.policy, t.policy_version, t.facts,
       t.opened_at, t.admission, t.held_clauses
FROM ticket t, unnest($2::uuid[], $3::uuid[]) AS copy (ticket_id, contract_id) WHERE t.ticket_id = $1
"""
# A month of one account: transactions of one unit each for a thousand tickets, written as one statement writes them.
_MONTH = """
WITH posted AS (
  INSERT INTO ledger_transaction (transaction_id, desk_id, contract_id, cause, reason, clauses, ticket_id, work_id,
                                  effective_at, recorded_at, idempotency_key)
  SELECT gen_random_uuid(), $1, $2, 'post', 'work', '{SMA-16}', ($5::uuid[])[1 + n % 1000], gen_random_uuid(),
         $6::timestamptz + n * interval '20 s', $6::timestamptz + n * interval '20 s', 'bench/' || n
  FROM generate_series(1, $7::int) n RETURNING *
)
INSERT INTO ledger_entry (desk_id, transaction_id, account_id, lot_id, counted_in, amount, effective_at, recorded_at)
SELECT p.desk_id, p.transaction_id, side.account_id, side.lot_id, 'credit_unit', side.amount, p.effective_at,
       p.recorded_at
FROM posted p, (VALUES ($3::uuid, $4::uuid, -1), ($8::uuid, NULL, 1)) AS side (account_id, lot_id, amount)
"""


@dataclass
class Ledgers:
    """A desk of billing, and ways to charge in it."""

    postgres: Postgres
    database: Database
    admin: asyncpg.Connection
    desk_id: UUID = field(default_factory=new_id)
    hot: list[UUID] = field(default_factory=list)  # tickets of one contract
    many: list[UUID] = field(default_factory=list)  # tickets of as many contracts

    def uow(self, *, now: datetime = NOW) -> UnitOfWork:
        """Return what the service's use cases work with."""
        return UnitOfWork(database=self.database, producer="billing", desk_id=self.desk_id, now=now, cause=Cause())

    async def charge(self, ticket_id: UUID) -> None:
        """Log an hour of work by the service's use case."""
        body = WorkCreate(ticket_id=ticket_id, started_at=NOW - timedelta(hours=2), minutes=60, description="work")
        await work.log_work(self.uow(), body=body, logged_by="agent")

    async def sign(self, *, units: int, policy: str = "bench") -> tuple[Contract, Ticket, UUID, UUID]:
        """Sign a contract with a ticket and a grant; returns both, the account and the lot.

        Under the policy `strict` work that the account does not cover is refused.
        """
        contract = Contract(
            contract_id=new_id(),
            customer_id=new_id(),
            policy=policy,
            plan=None,
            arrangement="plan",
            valid_from=MAY.date(),
            valid_until=None,
            warranty_until=None,
        )
        why = Why(key=str(new_id()), reason="bench", at=MAY)
        await contracts.sign_contract(self.uow(now=MAY), contract=contract, why=why)
        ticket = Ticket(
            ticket_id=new_id(),
            number="B-1",
            customer_id=contract.customer_id,
            contract_id=contract.contract_id,
            policy=policy,
            policy_version="1",
            facts={},
            opened_at=MAY,
            closed_at=None,
            admission="not_required",
            admitted_at=None,
            held_for=None,
            held_clauses=(),
        )
        await admission.take_ticket(self.uow(now=MAY), ticket=ticket, is_gated=False)
        page = await accounts.list_accounts(
            self.uow(now=MAY), contract_id=contract.contract_id, customer_id=None, cursor=None, limit=5
        )
        account_id = next(one.account_id for one in page.items if one.name == "main")
        body = GrantCreate(quantity=units, reason="bench")
        granted = await accounts.grant(self.uow(now=MAY), account_id=account_id, body=body)
        return contract, ticket, account_id, granted.lot_id

    async def copy_tickets(self, contract: Contract, ticket: Ticket, contract_ids: list[UUID]) -> list[UUID]:
        """Make a ticket like one, and where it is missing a contract like one, for each of some ids."""
        missing = [one for one in set(contract_ids) if one != contract.contract_id]
        ticket_ids = [new_id() for _ in contract_ids]
        await self.admin.execute(_COPY_CONTRACTS, contract.contract_id, missing)
        await self.admin.execute(_COPY_TICKETS, ticket.ticket_id, ticket_ids, contract_ids)
        return ticket_ids

    async def fill_month(self, *, entries: int) -> Contract:
        """Write a month of entries on one account, of a thousand tickets."""
        contract, ticket, account_id, lot_id = await self.sign(units=2 * entries)
        ticket_ids = await self.copy_tickets(contract, ticket, [contract.contract_id] * 1000)
        await self.charge(ticket.ticket_id)  # opens the other side
        income = await self.admin.fetchval(
            "SELECT account_id FROM account WHERE contract_id = $1 AND kind = 'income'", contract.contract_id
        )
        await self.admin.execute(
            _MONTH, self.desk_id, contract.contract_id, account_id, lot_id, ticket_ids, MAY, entries, income
        )
        await self.admin.execute("VACUUM ANALYZE")
        return contract


@asynccontextmanager
async def open_ledgers(folder: Path) -> AsyncIterator[tuple[Ledgers, asyncpg.Pool]]:
    """Start PostgreSQL in an empty folder with a desk of billing in it, and an empty database for the bare ledger."""
    postgres = Postgres(folder, durable=True)
    await postgres.start()
    try:
        settings = (await prepared_settings(postgres, Nats(folder), ["billing"]))["billing"]
        settings = settings.model_copy(update={"database_connections": WRITERS})
        admin = await asyncpg.connect(postgres.dsn("plazo_billing"))
        await admin.execute(f"CREATE DATABASE {BARE}")
        async with (
            Database.connect(settings) as database,
            asyncpg.create_pool(postgres.dsn(BARE), min_size=WRITERS, max_size=WRITERS) as bare,
        ):
            ledgers = Ledgers(postgres, database, admin)
            async with ledgers.uow().begin() as tx:
                for policy in map(load_policy, (_POLICY, _STRICT)):
                    await insert_policy(
                        tx,
                        policy=policy.policy,
                        version=policy.version,
                        effective_from=policy.effective_from,
                        document=policy.model_dump(mode="json"),
                    )
            yield ledgers, bare
        await admin.close()
    finally:
        await asyncio.shield(postgres.stop())
