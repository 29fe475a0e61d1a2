"""Laws of the books: the same inputs give the same ledger to the last entry, and all of it adds up to nothing."""

import random
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from billing.usecases import service_credits, statements, verification
from plazo.kernel.ids import new_id
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)

_LEDGER = """
SELECT t.cause, t.reason, t.clauses, e.effective_at, e.recorded_at, a.name, e.counted_in, e.amount
FROM ledger_entry e JOIN ledger_transaction t USING (transaction_id) JOIN account a USING (account_id)
WHERE e.desk_id = $1 ORDER BY e.recorded_at, t.cause, e.effective_at, a.name, e.amount
"""
_OFF = """
SELECT effective_at, recorded_at, counted_in, sum(amount) FROM ledger_entry WHERE desk_id = $1
GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
"""


def crediting(name):
    """Return a shipped policy, but that it credits breaches."""
    policy = load_policy(policy_text(name)).model_dump(mode="json")
    clause = [f"{policy['clauses']}-01"]
    policy["billing"]["service_credits"] = [{"percent": 10, "cap_percent": 25, "clause": clause}]
    return Policy.model_validate(policy)


async def live(ledgers, *, seed, policy, plan):
    """Live through six weeks of a contract: work in time and late, taken back, grants, breaches, months that close."""
    chance = random.Random(f"{policy}{seed}")
    ledgers.now = NOW
    await ledgers.publish(crediting(policy))
    contract = await ledgers.sign(plan=plan, valid_from=date(2026, 5, 1))
    await ledgers.top_up(contract, 12)
    tickets = [await ledgers.open_ticket(contract) for _ in range(3)]
    done, broken = [], []
    for _ in range(14):
        ledgers.now += timedelta(hours=chance.randrange(1, 140))
        ticket = chance.choice(tickets)
        act = chance.choice(["log", "log", "log", "late", "void", "grant", "breach", "retract", "facts", "read"])
        if act in {"log", "late"}:
            ago = chance.randrange(1, 24) if act == "log" else chance.randrange(1, 600)
            done.append(await ledgers.log(ticket, chance.choice([5, 61, 240, 700]), hours_ago=ago))
        elif act == "void" and done:
            await ledgers.void(done.pop(chance.randrange(len(done))))
        elif act == "grant":
            await ledgers.top_up(contract, chance.randrange(1, 9), expires_at=ledgers.now + timedelta(days=9))
        elif act == "breach":
            broken.append((ticket, new_id()))
            await service_credits.note_breach(
                ledgers.uow(),
                ticket_id=ticket.ticket_id,
                clock_id=broken[-1][1],
                kind="resolution",
                is_guarantee=True,
                breached_at=ledgers.now - timedelta(hours=chance.randrange(1, 300)),
                why=ledgers.why(),
            )
        elif act == "retract" and broken:
            ticket, clock_id = broken.pop()
            await service_credits.retract_breach(
                ledgers.uow(), ticket_id=ticket.ticket_id, clock_id=clock_id, why=ledgers.why()
            )
        elif act == "facts":
            await ledgers.change_facts(ticket, cause=chance.choice(["misuse", "defect"]))
        elif act == "read":
            await statements.read_statement(
                ledgers.uow(), contract_id=contract.contract_id, month="2026-05", customer_id=None
            )
    return contract, tickets


async def ledger_of(ledgers):
    return [tuple(row.values()) for row in await ledgers.house.fetch("billing", _LEDGER, ledgers.desk_id)]


@pytest.mark.parametrize(("seed", "policy", "plan"), [(1, "prodequa", "basic"), (2, "smartcloud", None)])
async def test_the_same_inputs_give_the_same_ledger_to_the_last_entry(ledgers, seed, policy, plan):
    await live(ledgers, seed=seed, policy=policy, plan=plan)
    first, again = await ledger_of(ledgers), type(ledgers)(ledgers.house)
    await live(again, seed=seed, policy=policy, plan=plan)

    assert await ledger_of(again) == first
    assert len(first) > 10
    assert await ledgers.house.fetch("billing", _OFF, ledgers.desk_id) == []
    verified = await verification.verify_ledger(ledgers.uow())
    assert verified.faults == []
    assert verified.entries == len(first)


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        pytest.param("UPDATE work SET minutes = 700 WHERE desk_id = $1", "rated anew", id="work"),
        pytest.param("UPDATE work SET voided_at = now() WHERE desk_id = $1", "rated anew", id="work taken back"),
        pytest.param("UPDATE lot SET granted = granted + 60 WHERE desk_id = $1", "replayed it holds", id="a grant"),
        pytest.param("UPDATE draw SET at = at + interval '40 days' WHERE desk_id = $1", "replayed", id="an instant"),
        pytest.param(
            "UPDATE service_credit SET amount = amount + 1 WHERE desk_id = $1", "replayed 10", id="a service credit"
        ),
        pytest.param(
            "UPDATE statement SET document = document || '{{}}' || '{\"plan\": \"vip\"}' WHERE desk_id = $1",
            "is not the document that was sealed",
            id="a statement",
        ),
    ],
)
async def test_inputs_that_were_tampered_with(ledgers, house, tampering, fault):
    await ledgers.publish(crediting("prodequa"))
    contract = await ledgers.sign(plan="basic", valid_from=date(2026, 5, 1))
    ticket = await ledgers.open_ticket(contract)
    await ledgers.log(ticket, 61)
    await service_credits.note_breach(
        ledgers.uow(),
        ticket_id=ticket.ticket_id,
        clock_id=new_id(),
        kind="resolution",
        is_guarantee=True,
        breached_at=NOW - timedelta(hours=1),
        why=ledgers.why(),
    )
    ledgers.now = datetime(2026, 6, 2, 13, tzinfo=UTC)
    await statements.read_statement(ledgers.uow(), contract_id=contract.contract_id, month="2026-05", customer_id=None)
    assert (await verification.verify_ledger(ledgers.uow())).faults == []
    superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
    try:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(tampering.replace("'{{}}' || ", ""), ledgers.desk_id)
    finally:
        await superuser.close()

    verified = await verification.verify_ledger(ledgers.uow())

    assert any(fault in one for one in verified.faults), verified.faults


@pytest.mark.parametrize(
    ("amount", "against", "error"),
    [
        pytest.param(-11, 11, "lot_remaining_check", id="more than there is"),
        pytest.param(-1, 2, "off by 1", id="what does not add up"),
    ],
)
async def test_a_superuser_cannot_post_by_hand_what_breaks_a_rule(ledgers, house, amount, against, error):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    granted = await ledgers.top_up(contract, 10)
    superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=error):
            await superuser.execute(
                f"""
                WITH t AS (
                  INSERT INTO ledger_transaction (transaction_id, desk_id, contract_id, cause, reason, clauses,
                                                  effective_at, recorded_at, idempotency_key)
                  VALUES (gen_random_uuid(), '{ledgers.desk_id}', '{contract.contract_id}', 'post', 'by hand', '{{}}',
                          now(), now(), 'by hand') RETURNING *
                )
                INSERT INTO ledger_entry (desk_id, transaction_id, account_id, lot_id, counted_in, amount,
                                          effective_at, recorded_at)
                SELECT t.desk_id, t.transaction_id, a.account_id, a.lot_id, 'credit_unit', a.amount, now(), now()
                FROM t, (SELECT account_id, lot_id, {amount} AS amount FROM lot WHERE lot_id = '{granted.lot_id}'
                         UNION ALL SELECT account_id, NULL, {against} FROM account
                         WHERE contract_id = '{contract.contract_id}' AND kind = 'funding') a
                """
            )
    finally:
        await superuser.close()
    assert await ledgers.balances(contract) == {"main credit_unit": 10}
