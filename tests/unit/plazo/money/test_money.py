"""Rounding, prices, parts of a whole, and how amounts are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.money import (
    Money,
    Rounding,
    allocate,
    format_minor,
    format_minutes,
    format_quantity,
    parse_minutes,
    parse_quantity,
    percent_of,
    price_of,
    round_to,
)

SMARTCLOUD = Rounding(increment=60, mode="up", minimum=60)  # SMA-16, SMA-17


@pytest.mark.parametrize(
    ("minutes", "units"),
    [
        pytest.param(0, 0, id="nothing costs nothing"),
        pytest.param(5, 1, id="SMA-16"),  # max(60, 60) = 60
        pytest.param(60, 1, id="a whole hour"),
        pytest.param(61, 2, id="SMA-17"),  # ceil(61 / 60) = 2
        pytest.param(119, 2, id="just under"),
        pytest.param(120, 2, id="two whole hours"),
        pytest.param(121, 3, id="just over"),  # ceil(121 / 60) = 3
    ],
)
def test_units_of_smartcloud(minutes, units):
    assert SMARTCLOUD.charged(minutes) == units * 60


@pytest.mark.parametrize(
    ("value", "increment", "mode", "rounded"),
    [
        pytest.param(7, 15, "nearest", 0, id="under a half"),  # 7 / 15 < 0.5
        pytest.param(8, 15, "nearest", 15, id="over a half"),  # 8 / 15 > 0.5
        pytest.param(15, 30, "nearest", 30, id="a half goes up"),
        pytest.param(29, 15, "down", 15, id="down"),
        pytest.param(29, 15, "up", 30, id="up"),
        pytest.param(30, 15, "up", 30, id="exact stays"),
    ],
)
def test_round_to(value, increment, mode, rounded):
    assert round_to(value, increment, mode) == rounded


@pytest.mark.parametrize(("value", "increment"), [(-1, 15), (5, 0)])
def test_round_to_refuses(value, increment):
    with pytest.raises(ValueError, match="expected a value of at least 0"):
        round_to(value, increment, "up")


def test_a_minimum_beside_the_increment():
    """PRO-05: an update of 40 minutes is an hour by increment and three by minimum."""
    update = Rounding(increment=60, minimum=180)
    assert (update.rounded(40), update.charged(40), update.charged(200)) == (60, 180, 240)


@given(
    minutes=st.integers(0, 10**6),
    more=st.integers(0, 10**4),
    increment=st.integers(1, 600),
    mode=st.sampled_from(["up", "down", "nearest"]),
    minimum=st.integers(0, 600),
)
def test_more_work_never_costs_less(minutes, more, increment, mode, minimum):
    rounding = Rounding(increment=increment, mode=mode, minimum=minimum)
    assert rounding.charged(minutes) <= rounding.charged(minutes + more)
    assert abs(rounding.rounded(minutes) - minutes) < increment


@pytest.mark.parametrize(
    ("minutes", "minor", "per", "price"),
    [
        pytest.param(120, 4500, 60, 9000, id="two hours at 45.00"),
        pytest.param(50, 999, 60, 833, id="8.325 goes up"),  # 50 * 999 / 60 = 832.5
        pytest.param(0, 4500, 60, 0, id="nothing"),
    ],
)
def test_price_of(minutes, minor, per, price):
    assert price_of(minutes, minor=minor, per_minutes=per) == price


def test_percent_of_rounds_a_fraction_up():
    assert percent_of(45, 150) == 68  # 67.5


@given(total=st.integers(-(10**9), 10**9), weights=st.lists(st.integers(0, 1000), min_size=1).filter(any))
def test_parts_add_up(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    exact = [total * weight / sum(weights) for weight in weights]
    assert all(abs(part - share) <= 1 for part, share in zip(parts, exact, strict=True))


def test_allocate_refuses_weights_of_nothing():
    with pytest.raises(ValueError, match="expected weights"):
        allocate(10, [0, 0])


def test_money():
    assert Money(1000, "PEN").allocate([1, 1, 1]) == (Money(334, "PEN"), Money(333, "PEN"), Money(333, "PEN"))
    assert Money(5, "EUR") + Money(6, "EUR") - Money(1, "EUR") == Money(10, "EUR") == -Money(-10, "EUR")
    with pytest.raises(ValueError, match="EUR and PEN do not add up"):
        Money(5, "EUR") + Money(6, "PEN")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(4500, "PEN", "45.00 PEN"), (-5, "EUR", "-0.05 EUR"), (1200, "CLP", "1200 CLP"), (1, "CLF", "0.0001 CLF")],
)
def test_format_minor(minor, currency, text):
    assert format_minor(minor, currency) == text == str(Money(minor, currency))


@pytest.mark.parametrize(
    ("minutes", "text"), [(125, "2 h 05 min"), (45, "45 min"), (180, "3 h"), (0, "0 min"), (-61, "-1 h 01 min")]
)
def test_format_minutes(minutes, text):
    assert format_minutes(minutes) == text


@pytest.mark.parametrize(
    ("quantity", "counted_in", "es", "en"),
    [
        (1, "credit_unit", "1 unidad", "1 unit"),
        (3, "credit_unit", "3 unidades", "3 units"),
        (480, "minute", "1 jornada", "1 workday"),
        (500, "minute", "8 h 20 min", "8 h 20 min"),
        (9000, "PEN", "90.00 PEN", "90.00 PEN"),
    ],
)
def test_format_quantity(quantity, counted_in, es, en):
    assert format_quantity(quantity, counted_in, language="es", workday_minutes=480) == es
    assert format_quantity(quantity, counted_in, language="en", workday_minutes=480) == en


@pytest.mark.parametrize(
    ("text", "minutes"), [("3h", 180), ("90m", 90), ("1h30m", 90), ("2 units", 120), ("1 workday", 60)]
)
def test_parse_quantity(text, minutes):
    assert parse_quantity(text, unit_minutes=60) == minutes


@pytest.mark.parametrize("text", ["", "3", "3 h", "-1h", "2 apples", "1m2h"])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text, unit_minutes=60)
    with pytest.raises(ValueError, match="is no length of work"):
        parse_minutes(text)
