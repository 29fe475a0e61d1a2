"""Statements put together, written as people read them, and as programs do."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import statement as months
from billing.domain.accounts import month_named
from billing.domain.burn_down import draw_burn_down
from billing.domain.statement import AccountNow, LateEntry, Statement, Sum, SumsDiffer, account_months, check_sums
from billing.domain.statement_lines import COLUMNS, statement_lines, write_csv
from billing.domain.statement_words import Wording

MAIN, OWED, TICKET = UUID(int=1), UUID(int=2), UUID(int=3)
MAY = month_named("2026-05", "America/Lima")


def account(balance, *, account_id=MAIN, name="main", kind="prepaid", unit="hour", counted_in="minute"):
    return AccountNow(account_id, name, kind, unit, counted_in, 60, balance)


def entry(amount, movement="used", *, place="month", account_id=MAIN, ticket=True, clauses=("PRO-05",)):
    number = "PRO-1" if ticket and place == "month" and movement == "used" else None
    return Sum(account_id, place, movement, TICKET if number else None, number, amount, clauses)


def stated(accounts, sums, *, late=(), number="PRO-1"):
    return Statement(
        contract_id=UUID(int=9),
        customer_id=UUID(int=8),
        policy="prodequa",
        plan="basic",
        provider="PRODEQUA",
        month="2026-05",
        timezone="America/Lima",
        locale="es_PE",
        begins_at=MAY.start,
        ends_at=MAY.end,
        accounts=account_months(
            accounts, [replace(one, number=number) if one.number else one for one in sums], days=MAY_DAYS
        ),
        late=tuple(late),
    )


MAY_DAYS = months.days_of(MAY, "America/Lima")


def test_a_month_from_what_is_held_now_and_what_came_after():
    # 1200 granted, 90 used, 1110 expired in May; 1200 granted and 30 used in June: 1170 now
    sums = [entry(1200, "granted"), entry(-90), entry(-1110, "expired"), entry(1170, "granted", place="after")]
    (may,) = account_months([account(1170)], sums)
    assert (may.opening, may.granted, may.used, may.expired, may.closing) == (0, 1200, 90, 1110, 0)
    assert [(use.number, use.quantity) for use in may.by_ticket] == [("PRO-1", 90)]
    assert (MAY_DAYS[0], MAY_DAYS[-1]) == (date(2026, 5, 1), date(2026, 5, 31))


amounts = st.integers(-(10**6), 10**6)
places = st.sampled_from(["month", "late", "after"])
movements = st.sampled_from(["granted", "used", "held", "expired", "credited"])


@given(amounts, st.lists(st.tuples(amounts, movements, places), max_size=12))
def test_every_month_adds_up(balance, entries):
    sums = [entry(amount, movement, place=place) for amount, movement, place in entries]
    late = [
        LateEntry(n, "2026-04", MAIN, one.movement, None, None, one.amount, MAY.start, MAY.end)
        for n, one in enumerate(sums)
        if one.place == "late"
    ]
    statement = stated([account(balance)], sums, late=late)
    check_sums(statement, None)
    check_sums(statement, replace(statement, accounts=(replace(statement.accounts[0], closing=_opening(statement)),)))


def _opening(statement):
    return statement.accounts[0].opening


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"closing": 5}, "closes with 5"),
        ({"opening": 100, "closing": 1210}, "April closed"),
        ({"late": 4, "closing": 1114}, "its late entries of 0"),
        ({"by_ticket": ()}, "its tickets of otherwise"),
    ],
)
def test_what_does_not_add_up_is_never_closed(change, said):
    statement = stated([account(1110)], [entry(1200, "granted"), entry(-90)])
    april = replace(statement, month="April", accounts=(replace(statement.accounts[0], closing=0),))
    check_sums(statement, april)
    with pytest.raises(SumsDiffer, match=said):
        check_sums(replace(statement, accounts=(replace(statement.accounts[0], **change),)), april)


def lines_of(statement, **options):
    words = Wording("en", "America/Lima")
    return statement_lines(statement, number=1, words=words, **{"with_balances": False} | options)


def test_lines_of_money_are_signed_as_the_customer_owes_them():
    sums = [entry(-4500, account_id=OWED), entry(500, "credited", account_id=UUID(int=4))]
    owed = account(-4500, account_id=OWED, name="owed", kind="owed", unit="currency", counted_in="PEN")
    credited = account(500, account_id=UUID(int=4), name="credited", kind="credited", unit="currency", counted_in="PEN")
    lines = lines_of(stated([owed, credited], sums))
    assert [(one.kind, one.quantity, one.amount_minor, one.currency, one.billable) for one in lines] == [
        ("used", 4500, 4500, "PEN", True),
        ("credited", 500, -500, "PEN", True),
    ]


def test_late_lines_name_their_month_and_entry():
    late = LateEntry(77, "2026-04", MAIN, "used", TICKET, "PRO-1", -30, MAY.start, MAY.end, ("PRO-05",))
    (line,) = lines_of(stated([account(0)], [entry(-30, place="late")], late=[late]))
    assert (line.kind, line.quantity, line.late_month, line.entry, line.billable) == ("used", 30, "2026-04", 77, False)


@pytest.mark.parametrize("number", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_taken_for_a_formula(number):
    table = write_csv(lines_of(stated([account(0)], [entry(-30)], number=number)))
    (row,) = csv.DictReader(io.StringIO(table, newline=""))
    assert row["ticket"] == f"'{number}"
    assert (row["quantity"], row["billable"]) == ("30", "false")
    assert tuple(row) == COLUMNS


def test_columns_never_change():
    assert list(COLUMNS) == [
        *("statement", "line", "month", "contract_id", "customer_id", "account", "kind", "billable", "ticket"),
        *("description", "quantity", "unit", "amount_minor", "currency", "clauses", "late_month", "entry"),
    ]


@pytest.mark.parametrize(
    ("locale", "money", "time", "day"),
    [
        ("es_ES", "1.234.567,89 PEN", "1.234 h 05 min", "4 de mayo de 2026"),
        ("es_PE", "S/ 1,234,567.89", "1,234 h 05 min", "4 de mayo de 2026"),
        ("es_CL", "PEN1.234.567,89", "1.234 h 05 min", "4 de mayo de 2026"),
        ("es_VE", "PEN1.234.567,89", "1.234 h 05 min", "4 de mayo de 2026"),
        ("en", "PEN1,234,567.89", "1,234 h 05 min", "May 4, 2026"),
    ],
)
def test_amounts_and_dates_as_where_the_contract_is(locale, money, time, day):
    words = Wording(locale, "America/Lima")
    spaces = str.maketrans("\xa0\u202f", "  ")
    assert words.amount(123_456_789, "PEN").translate(spaces) == money
    assert words.amount(1234 * 60 + 5, "minute") == time
    assert words.day(date(2026, 5, 4)) == day


def test_other_amounts():
    words = Wording("es_CL", "-04:00")
    assert words.amount(123_456, "CLP") == "$123.456"  # no cents
    assert words.amount(-90, "minute") == "-1 h 30 min"
    assert words.amount(960, "minute", workday_minutes=480) == "2 jornadas"
    assert words.amount(1, "credit_unit") == "1 unidad"
    assert words.instant(datetime(2026, 5, 4, 13, tzinfo=UTC)).startswith("04-05-2026")


@pytest.mark.parametrize(
    ("zone", "locale"),
    [
        ("America/Lima", "es_PE"),
        ("Europe/Madrid", "es_ES"),
        ("America/Caracas", "es_VE"),
        ("America/Santiago", "es_CL"),
        ("-04:00", "es_ES"),
    ],
)
def test_where_a_contract_is(zone, locale):
    assert months.locale_for("es", zone) == locale
    assert months.locale_for("en", zone) == "en"


def test_a_burn_down_is_drawn_and_said():
    moved = {1: 1200, 4: -90, 31: -1110}
    (may,) = account_months([account(0)], [entry(1200, "granted"), entry(-1200)], moved={MAIN: moved}, days=MAY_DAYS)
    drawing = ET.fromstring(draw_burn_down(may, Wording("en", "America/Lima")))
    parts = {child.tag.rpartition("}")[2]: child for child in drawing}
    assert drawing.get("role") == "img"
    assert drawing.get("aria-labelledby") == f"{parts['title'].get('id')} {parts['desc'].get('id')}"
    assert parts["desc"].text == "From 0 h on May 1, 2026 to 0 h as May 31, 2026 ends; the least was 0 h."
    assert [may.days[n].balance for n in (0, 1, 2, 3, -1)] == [1200, 1200, 1200, 1110, 0]
    assert parts["path"].get("d").count("H") == 31


def test_nothing_drawn_is_markup():
    (may,) = account_months([account(0, name='<b onload="x">&')], [], days=MAY_DAYS)
    drawing = draw_burn_down(may, Wording("es", "America/Lima"))
    assert "<b" not in drawing
    ET.fromstring(drawing)
