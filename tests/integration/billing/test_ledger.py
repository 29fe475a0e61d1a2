"""What PostgreSQL itself refuses, and what holds whoever writes and in whatever order."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from billing.domain.ledger import Chart, Entry, Posting
from billing.models import METADATA
from billing.repository.books import Unwritten, write_books
from billing.usecases.settling import BalanceExhausted
from plazo.kernel.ids import new_id
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy
from plazo.runtime.migrations import run_with_connection
from plazo.runtime.tables import RuntimeTable

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


async def a_ledger(ledgers, *, units=10):
    """Return a contract with a ticket, its main account and the lot in it."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    granted = await ledgers.top_up(contract, units)
    ticket = await ledgers.open_ticket(contract)
    return contract, ticket, granted


def posting(contract, granted, *amounts, key=None):
    """Return a transaction that moves amounts: of the lot, then of the account that counts income."""
    chart = Chart(contract_id=contract.contract_id, accounts={})
    income = chart.need("funding", "credit_unit")
    entries = [Entry(granted.account.account_id, granted.lot_id, "credit_unit", amounts[0])]
    entries += [Entry(income, None, "credit_unit", amount) for amount in amounts[1:]]
    return Posting(
        cause="post",
        reason="test",
        clauses=(),
        ticket_id=None,
        work_id=None,
        effective_at=NOW,
        idempotency_key=key or str(new_id()),
        entries=tuple(entries),
    )


async def post(ledgers, contract, *postings):
    """Write transactions, one commit."""
    async with ledgers.uow().begin() as tx:
        await write_books(tx, contract.contract_id, Unwritten(postings=list(postings)))


class TestPostgresRefuses:
    """The rules hold for every writer, also for one that goes around the code."""

    @pytest.mark.parametrize(
        ("amounts", "error"),
        [
            pytest.param((-1, 2), "off by 1 credit_unit", id="a transaction that does not add up"),
            pytest.param((-1,), "off by -1 credit_unit", id="one side alone"),
            pytest.param((-11, 11), "lot_remaining_check", id="more than there is"),
            pytest.param((1, -1), "lot_remaining_check", id="more than was granted"),
            pytest.param((0, 0), "ledger_entry_amount_check", id="nothing at all"),
        ],
    )
    async def test_what_does_not_add_up(self, ledgers, amounts, error):
        contract, _, granted = await a_ledger(ledgers)

        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=error):
            await post(ledgers, contract, posting(contract, granted, *amounts))

        assert await ledgers.balances(contract) == {"main credit_unit": 10}

    async def test_the_same_cause_twice(self, ledgers):
        contract, _, granted = await a_ledger(ledgers)
        twice = posting(contract, granted, -1, 1, key="work:1")

        with pytest.raises(asyncpg.UniqueViolationError, match="idempotency_key"):
            await post(ledgers, contract, twice, twice)

    async def test_an_entry_of_another_unit_or_without_its_lot(self, ledgers):
        contract, _, granted = await a_ledger(ledgers)
        good = posting(contract, granted, -1, 1)
        for wrong in (replace(good.entries[0], counted_in="minute"), replace(good.entries[0], lot_id=None)):
            entries = (wrong, replace(good.entries[1], counted_in=wrong.counted_in))
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not fit"):
                await post(ledgers, contract, replace(good, entries=entries))

    async def test_a_transaction_without_entries_and_a_late_entry(self, ledgers):
        contract, _, granted = await a_ledger(ledgers)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="has no entries"):
            await post(ledgers, contract, replace(posting(contract, granted, -1), entries=()))
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="off by -1"):
            async with ledgers.uow().begin() as tx:
                await tx.connection.execute(
                    "INSERT INTO ledger_entry (desk_id, transaction_id, account_id, lot_id, counted_in, amount, "
                    "effective_at, recorded_at) SELECT desk_id, transaction_id, account_id, lot_id, counted_in, -1, "
                    "effective_at, recorded_at FROM ledger_entry WHERE lot_id = $1",
                    granted.lot_id,
                )

    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            ("UPDATE ledger_entry SET amount = 5", "never changed"),
            ("DELETE FROM ledger_entry", "never changed"),
            ("TRUNCATE ledger_entry CASCADE", "never changed"),
            ("UPDATE ledger_transaction SET reason = 'x'", "never changed"),
            ("DELETE FROM ledger_transaction", "never changed"),
            ("DELETE FROM charge", "never changed"),
            ("UPDATE standing_change SET standing = 'good'", "never changed"),
            ("UPDATE account SET balance = 1000000", "never set"),
            ("UPDATE account SET lower_limit = NULL", "never set"),
            ("UPDATE lot SET granted = 1000000, remaining = 1000000", "never set"),
            ("UPDATE account SET kind = 'funding'", "never changed"),
            ("TRUNCATE unsealed", "never changed"),
            ("DELETE FROM service_credit", "never changed"),
            ("DELETE FROM account", "never changed"),
            ("DELETE FROM lot", "never changed"),
            ("DELETE FROM work", "never changed"),
        ],
    )
    async def test_a_superusers_ordinary_mistake(self, ledgers, house, statement, error):
        _, ticket, _ = await a_ledger(ledgers)
        await ledgers.log(ticket, 5)
        superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
        try:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=error):
                await superuser.execute(statement)
        finally:
            await superuser.close()

    async def test_an_account_that_opens_with_something_in_it(self, ledgers):
        _, _, granted = await a_ledger(ledgers)
        async with ledgers.uow().begin() as tx:
            balance = await tx.connection.fetchval(
                "INSERT INTO account (account_id, desk_id, contract_id, name, kind, unit, counted_in, unit_minutes, "
                "balance) SELECT gen_random_uuid(), desk_id, contract_id, 'gift', kind, unit, counted_in, "
                "unit_minutes, 1000 FROM account WHERE account_id = $1 RETURNING balance",
                granted.account.account_id,
            )
        assert balance == 0


async def test_the_models_are_what_the_migrations_make(house):
    urls = await house.postgres.create_database("billing", database="plazo_billing")

    def compare(connection):
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": [RuntimeTable.metadata, METADATA]}
        )
        return compare_metadata(context, [RuntimeTable.metadata, METADATA])

    assert await run_with_connection(urls.owner, compare) == []


def refusing():
    """Return the policy of Prodequa, but that overage is refused."""
    policy = load_policy(policy_text("prodequa"))
    rule = policy.billing.overage[0].model_copy(update={"allowed": False})
    billing = policy.billing.model_copy(update={"overage": (rule,)})
    return Policy.model_validate(policy.model_copy(update={"billing": billing}).model_dump(mode="json"))


async def test_many_charges_at_once_lose_nothing_and_never_pass_the_limit(ledgers):
    """20 h are 1200 minutes; of 60 charges of 30 minutes at once exactly 40 go through."""
    await ledgers.publish(refusing())
    contract = await ledgers.sign(plan="basic")
    tickets = [await ledgers.open_ticket(contract) for _ in range(6)]

    outcomes = await asyncio.gather(
        *(ledgers.log(tickets[n % 6], 30, hours_ago=1) for n in range(60)), return_exceptions=True
    )

    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {BalanceExhausted}
    assert {one.clause for one in refused} == {"PRO-07"}
    assert len(refused) == 20
    assert await ledgers.balances(contract) == {}
    rows = await ledgers.house.fetch(
        "billing",
        "SELECT sum(e.amount)::bigint AS charged FROM ledger_entry e JOIN account a USING (account_id) "
        "WHERE a.desk_id = $1 AND a.kind = 'income'",
        ledgers.desk_id,
    )
    assert rows[0]["charged"] == 40 * 30
    assert await ledgers.sums() == []


@pytest.mark.parametrize(("seed", "policy", "plan"), [(0, "prodequa", "basic"), (1, "smartcloud", None)])
async def test_the_order_in_which_work_arrives_does_not_matter(ledgers, seed, policy, plan):
    """Same work, same grants, other order, some of it taken back: the same balances and the same total per ticket."""
    chance = random.Random(f"{policy}{seed}")
    await ledgers.publish(policy)
    pieces = [(n % 3, chance.choice([5, 61, 240, 420]), 1 + n * 20) for n in range(9)]
    wrong = [(n, 500, 7 + n) for n in range(3)]
    outcomes = []
    for order in (pieces, chance.sample(pieces, len(pieces))):
        contract = await ledgers.sign(plan=plan)
        if plan is None:
            await ledgers.top_up(contract, 20, effective_at=NOW - timedelta(days=30))
        tickets = [await ledgers.open_ticket(contract, at=NOW - timedelta(days=20)) for _ in range(3)]
        mistakes = [await ledgers.log(tickets[n], minutes, hours_ago=ago) for n, minutes, ago in wrong]
        for n, minutes, ago in order:
            await ledgers.log(tickets[n], minutes, hours_ago=ago)
        for mistake in chance.sample(mistakes, len(mistakes)):
            await ledgers.void(mistake)
        totals = []
        for ticket in tickets:
            last = {one.unit: one.total for one in await ledgers.charges(ticket)}
            totals.append({unit: total for unit, total in last.items() if total})
        outcomes.append((await ledgers.balances(contract), totals))
    assert outcomes[0] == outcomes[1]
    assert await ledgers.sums() == []
