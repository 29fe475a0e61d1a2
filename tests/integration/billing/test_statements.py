"""Statements: months that close for good, and what comes after."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import asyncpg
import pytest

from billing.domain.statement import statement_hash
from billing.domain.statement_lines import write_csv
from billing.usecases import statements
from billing.usecases.balances import read_balance
from plazo.policy import Policy

JUNE = datetime(2026, 6, 2, 13, tzinfo=UTC)
JULY = datetime(2026, 7, 2, 13, tzinfo=UTC)


async def read(ledgers, contract, month):
    return await statements.read_statement(
        ledgers.uow(), contract_id=contract.contract_id, month=month, customer_id=None
    )


def row(view, name="main"):
    """Return what an account did: opening, granted, used, expired, late, closing."""
    one = next(one for one in view.accounts if one.name == name)
    return one.opening, one.granted, one.used, one.expired, one.late, one.closing


@pytest.fixture
async def may(ledgers):
    """20 h a month from May on, 90 minutes of work in May; it is 2 June."""
    await ledgers.publish("prodequa")
    contract = await ledgers.sign(plan="basic", valid_from=date(2026, 5, 1))
    ticket = await ledgers.open_ticket(contract)
    await ledgers.log(ticket, 90, hours_ago=1)
    ledgers.now = JUNE
    return contract, ticket


async def test_a_month_closes_with_the_first_reading_after_its_end_and_never_changes(ledgers, may):
    contract, ticket = may

    closed = await read(ledgers, contract, "2026-05")
    # 1 day 13 h before: still May in Lima. 30 minutes of what had expired in May.
    await ledgers.log(ticket, 30, started_at=datetime(2026, 5, 31, 15, tzinfo=UTC))
    again = await read(ledgers, contract, "2026-05")
    june = await read(ledgers, contract, "2026-06")

    # 1200 - 90 = 1110 expire as May ends in Lima
    assert row(closed) == (0, 1200, 90, 1110, 0, 0)
    assert (closed.state, closed.number) == ("closed", 1)
    assert again == closed
    # given back by the expiry, taken by the work: together nothing
    assert (june.state, row(june)) == ("open", (0, 1200, 0, 0, 0, 1200))
    assert sorted((one.month, one.movement, one.amount) for one in june.late) == [
        ("2026-05", "expired", 30),
        ("2026-05", "used", -30),
    ]
    assert {one.number for one in june.late if one.movement == "used"} == {"T-1"}
    assert sum(use.quantity for one in june.accounts for use in one.by_ticket) == 0
    (event,) = await ledgers.events("statement.closed.v1")
    assert (event["month"], event["hash"]) == ("2026-05", closed.hash)


async def test_late_work_that_is_overage_is_late_on_what_is_owed(ledgers, may):
    contract, ticket = may
    await read(ledgers, contract, "2026-05")

    await ledgers.log(ticket, 1110 + 45, started_at=datetime(2026, 5, 20, 15, tzinfo=UTC))
    ledgers.now = JULY
    june = await read(ledgers, contract, "2026-06")
    july = await read(ledgers, contract, "2026-07")

    # 45 minutes more than there were: a started hour
    assert (june.state, row(june, "owed")) == ("closed", (0, 0, 0, 0, -60, -60))
    assert (july.late, row(july, "owed")) == ([], (-60, 0, 0, 0, 0, -60))


async def test_statements_are_a_chain_over_their_documents(ledgers, may):
    contract, _ = may
    ledgers.now = JULY
    june = await read(ledgers, contract, "2026-06")
    may_closed = await read(ledgers, contract, "2026-05")

    assert (june.number, june.previous_hash) == (2, may_closed.hash)
    rows = await ledgers.house.fetch(
        "billing", "SELECT document FROM statement WHERE contract_id = $1 AND month = '2026-06'", contract.contract_id
    )
    assert statement_hash(may_closed.hash, rows[0]["document"]) == june.hash
    page = await statements.list_statements(
        ledgers.uow(), contract_id=contract.contract_id, customer_id=None, cursor=None, limit=1
    )
    assert [one.month for one in page.items] == ["2026-06"]
    assert page.next_cursor is not None


async def test_closing_when_asked(ledgers, may):
    contract, _ = may
    policy = ledgers.policy
    billing = policy.billing.model_copy(
        update={"statements": policy.billing.statements.model_copy(update={"closes_after_days": 5})}
    )
    waits = policy.model_copy(update={"billing": billing, "version": "2"}).model_dump(mode="json")
    await ledgers.publish(Policy.model_validate(waits))

    assert (await read(ledgers, contract, "2026-05")).state == "open"  # 2 June, and it waits until the 6th
    with pytest.raises(statements.MonthOpen, match="not over yet"):
        await statements.close_statement(ledgers.uow(), contract_id=contract.contract_id, month="2026-06")
    closed = await statements.close_statement(ledgers.uow(), contract_id=contract.contract_id, month="2026-05")
    assert closed.state == "closed"
    assert await statements.close_statement(ledgers.uow(), contract_id=contract.contract_id, month="2026-05") == closed
    with pytest.raises(statements.NoStatement):
        await read(ledgers, contract, "2026-04")


async def test_nothing_to_close(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    assert (await read(ledgers, contract, "2026-04")).state == "open"
    with pytest.raises(statements.MonthOpen, match="nothing was entered"):
        await statements.close_statement(ledgers.uow(), contract_id=contract.contract_id, month="2026-04")


@pytest.mark.parametrize("statement", ["UPDATE statement SET hash = ''", "DELETE FROM statement", "TRUNCATE statement"])
async def test_a_closed_month_is_not_changed_by_a_superusers_mistake(ledgers, house, may, statement):
    await read(ledgers, may[0], "2026-05")
    superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changed"):
            await superuser.execute(statement)
    finally:
        await superuser.close()


async def test_a_page_to_print(ledgers, may):
    contract, _ = may

    async def page(locale):
        return await statements.print_statement(
            ledgers.uow(), contract_id=contract.contract_id, month="2026-05", customer_id=None, locale=locale
        )

    spanish, english = await page(None), await page("en")

    assert "Mayo 2026" in spanish
    assert "1 h 30 min" in spanish
    assert "18 h 30 min" in spanish  # expired
    assert "May 31, 2026" in english
    assert "<script" not in spanish
    drawing = ET.fromstring(re.search(r"<svg.*?</svg>", spanish, re.DOTALL)[0])
    said = {child.tag.rpartition("}")[2]: child.text for child in drawing}
    assert said["title"] == "Saldo al final de cada día: Cuenta principal"
    assert said["desc"].endswith("lo menos fue 0 h.")
    assert len(spanish) < 20_000


async def test_lines_for_who_makes_invoices(ledgers, may):
    contract, ticket = may
    await ledgers.log(ticket, 1245, started_at=datetime(2026, 6, 1, 15, tzinfo=UTC))  # 45 over 1200: an hour

    lines = await statements.list_lines(
        ledgers.uow(), contract_id=contract.contract_id, month="2026-06", customer_id=None, locale="en"
    )

    told = [(one.account, one.kind, one.quantity, one.billable, one.ticket, one.clauses) for one in lines]
    assert told == [
        ("main", "granted", 1200, False, None, ""),
        ("main", "used", 1200, False, "T-1", lines[1].clauses),
        ("owed", "used", 60, True, "T-1", lines[1].clauses),
    ]
    table = list(csv.DictReader(io.StringIO(write_csv(lines))))
    assert [one["quantity"] for one in table] == [str(one.quantity) for one in lines]
    assert {one["month"] for one in table} == {"2026-06"}


async def test_a_balance_by_what_was_so_and_what_was_known(ledgers, may):
    contract, ticket = may
    account = (await ledgers.accounts(contract))["main", "minute"]
    known_before = ledgers.now
    ledgers.now += timedelta(days=1)
    await ledgers.log(ticket, 60, started_at=datetime(2026, 6, 1, 15, tzinfo=UTC))

    async def balance(at, known_at):
        view = await read_balance(
            ledgers.uow(), account_id=account.account_id, customer_id=None, at=at, known_at=known_at
        )
        return view.balance

    evening = datetime(2026, 6, 1, 20, tzinfo=UTC)
    assert await balance(evening, known_before) == 1200  # nobody knew yet
    assert await balance(evening, None) == 1140
    assert await balance(datetime(2026, 6, 1, 14, tzinfo=UTC), None) == 1200
    assert await balance(None, None) == 1140
