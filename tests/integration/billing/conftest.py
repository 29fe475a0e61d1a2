"""A desk of billing alone: its use cases on a real database, without the other services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import House

from billing.domain.parties import Contract, Ticket
from billing.repository import accounts as account_repository
from billing.schemas.accounts import AccountView, GrantCreate, GrantView, StandingCreate
from billing.schemas.work import ChargedWorkView, ChargeView, VoidCreate, WorkCreate
from billing.usecases import accounts, admission, contracts, tickets, work
from billing.usecases.books import Why
from plazo.kernel.ids import new_id
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy
from plazo.runtime.policies import insert_policy
from plazo.runtime.unit_of_work import UnitOfWork

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


@dataclass
class Ledgers:
    """A fresh desk of billing whose present is `now`."""

    house: House
    desk_id: UUID = field(default_factory=new_id)
    now: datetime = NOW
    policy: Policy | None = None

    def uow(self) -> UnitOfWork:
        """Return a unit of work as of now."""
        return self.house.runtime("billing").unit_of_work(desk_id=self.desk_id, now=self.now)

    async def publish(self, policy: Policy | str) -> Policy:
        """Make a policy known."""
        self.policy = load_policy(policy_text(policy)) if isinstance(policy, str) else policy
        async with self.uow().begin() as tx:
            await insert_policy(
                tx,
                policy=self.policy.policy,
                version=self.policy.version,
                effective_from=self.policy.effective_from,
                document=self.policy.model_dump(mode="json"),
            )
        return self.policy

    async def sign(self, *, plan: str | None = None, **terms: Any) -> Contract:
        """Sign a contract under the policy published last."""
        assert self.policy is not None
        contract = Contract(
            **{
                "contract_id": new_id(),
                "customer_id": new_id(),
                "policy": self.policy.policy,
                "plan": plan,
                "arrangement": "plan",
                "valid_from": date(2020, 1, 1),
                "valid_until": None,
                "warranty_until": None,
            }
            | terms
        )
        await contracts.sign_contract(self.uow(), contract=contract, why=self.why())
        return contract

    async def renew(self, contract: Contract, **terms: Any) -> Contract:
        """Sign a contract anew."""
        contract = replace(contract, **terms)
        await contracts.sign_contract(self.uow(), contract=contract, why=self.why())
        return contract

    def why(self) -> Why:
        """Return a cause of now."""
        return Why(key=str(new_id()), reason="test", at=self.now)

    async def open_ticket(
        self, contract: Contract, *, facts: Mapping[str, Any] | None = None, at: datetime | None = None
    ) -> Ticket:
        """Open a ticket as `tickets` would announce it."""
        assert self.policy is not None
        given = {"plan": contract.plan, "arrangement": contract.arrangement, "channel": "email"}
        ticket = Ticket(
            ticket_id=new_id(),
            number="T-1",
            customer_id=contract.customer_id,
            contract_id=contract.contract_id,
            policy=self.policy.policy,
            policy_version=self.policy.version,
            facts={name: value for name, value in {**given, **(facts or {})}.items() if value is not None},
            opened_at=at or self.now,
            closed_at=None,
            admission="not_required",
            admitted_at=None,
            held_for=None,
            held_clauses=(),
        )
        await admission.take_ticket(self.uow(), ticket=ticket, is_gated=bool(self.policy.billing.gates))
        return ticket

    async def change_facts(self, ticket: Ticket, **facts: Any) -> None:
        """Change facts of a ticket as `tickets` would announce it."""
        await tickets.change_facts(
            self.uow(), ticket_id=ticket.ticket_id, facts={**ticket.facts, **facts}, why=self.why()
        )

    async def close(self, ticket: Ticket) -> None:
        """Close a ticket."""
        await tickets.close_ticket(self.uow(), ticket_id=ticket.ticket_id, closed_at=self.now, why=self.why())

    def body(self, ticket: Ticket, minutes: int, *, hours_ago: float = 5, **more: Any) -> WorkCreate:
        """Return work as it would be posted."""
        return WorkCreate(
            **{
                "ticket_id": ticket.ticket_id,
                "started_at": self.now - timedelta(hours=hours_ago),
                "minutes": minutes,
                "description": "looked into it",
            }
            | more
        )

    async def log(self, ticket: Ticket, minutes: int, **more: Any) -> ChargedWorkView:
        """Log work."""
        return await work.log_work(self.uow(), body=self.body(ticket, minutes, **more), logged_by="agent")

    async def void(self, done: ChargedWorkView) -> ChargedWorkView:
        """Take work back."""
        return await work.void_work(self.uow(), work_id=done.work.work_id, body=VoidCreate(reason="wrong ticket"))

    async def accounts(self, contract: Contract) -> dict[tuple[str, str], AccountView]:
        """Return the accounts the customer sees, by name and what they count."""
        page = await accounts.list_accounts(
            self.uow(), contract_id=contract.contract_id, customer_id=None, cursor=None, limit=50
        )
        return {(one.name, one.counted_in): one for one in page.items}

    async def balances(self, contract: Contract) -> dict[str, int]:
        """Return the balances of the accounts that are not at zero."""
        seen = await self.accounts(contract)
        return {f"{name} {unit}": one.balance for (name, unit), one in seen.items() if one.balance}

    async def top_up(self, contract: Contract, quantity: int | str, *, name: str = "main", **more: Any) -> GrantView:
        """Grant something to an account of a contract."""
        account = next(one for (n, _), one in (await self.accounts(contract)).items() if n == name)
        return await accounts.grant(
            self.uow(),
            account_id=account.account_id,
            body=GrantCreate(quantity=quantity, reason="paid", **more),
        )

    async def set_standing(self, contract: Contract, standing: Any) -> None:
        """Change a contract's standing."""
        body = StandingCreate(contract_id=contract.contract_id, standing=standing, reason="accounting")
        await contracts.change_standing(self.uow(), body=body)

    async def charges(self, ticket: Ticket) -> list[ChargeView]:
        """Return the charges of a ticket."""
        page = await work.list_charges(self.uow(), ticket_id=ticket.ticket_id, customer_id=None, cursor=None, limit=200)
        return page.items

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """Return what was announced, as data with its type and instant."""
        rows = await self.house.events("billing", self.desk_id, *types)
        return [{**row["data"], "type": row["type"], "occurred_at": row["occurred_at"]} for row in rows]

    async def sums(self) -> list[int]:
        """Return the sum of all entries for each unit that is not zero, as it must never be."""
        rows = await self.house.fetch(
            "billing",
            "SELECT sum(amount)::bigint AS s FROM ledger_entry WHERE desk_id = $1 GROUP BY counted_in",
            self.desk_id,
        )
        return [row["s"] for row in rows if row["s"]]

    async def available(self, contract: Contract, *, at: datetime) -> int:
        """Return what the main account could be drawn on for at an instant."""
        account = next(one for (n, _), one in (await self.accounts(contract)).items() if n == "main")
        async with self.uow().read() as connection:
            return await account_repository.available_at(connection, account.account_id, at=at)


@pytest.fixture
def ledgers(house: House) -> Ledgers:
    """A desk of billing alone."""
    return Ledgers(house)
