"""Quantities as policies word them, and as people read them."""

import re

from plazo.money.amount import format_minor

_TIME = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?")
_UNITS = re.compile(r"(\d{1,7}) (?:unit|workday)s?")
_UNIT_NAMES = {
    "es": ("unidad", "unidades", "jornada", "jornadas"),
    "en": ("unit", "units", "workday", "workdays"),
}


def parse_minutes(text: str) -> int:
    """Read a length of work such as `3h`, `90m` or `1h30m`, in minutes.

    :raises ValueError: if it is none
    """
    found = _TIME.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"{text!r} is no length of work; expected one such as 3h, 90m or 1h30m")
    return 60 * int(found[1] or 0) + int(found[2] or 0)


def parse_quantity(text: str, *, unit_minutes: int) -> int:
    """Read `2 units`, `1 workday`, `3h` or `90m`, in minutes; a unit or workday is worth `unit_minutes`.

    :raises ValueError: if it is none of these
    """
    if found := _UNITS.fullmatch(text):
        return int(found[1]) * unit_minutes
    try:
        return parse_minutes(text)
    except ValueError:
        raise ValueError(f"{text!r} is no quantity; expected one such as 2 units, 1 workday, 3h or 90m") from None


def format_minutes(minutes: int) -> str:
    """Write minutes as hours and minutes, alike in both languages: `2 h 05 min`, `45 min`, `3 h`."""
    sign, size = ("-", -minutes) if minutes < 0 else ("", minutes)
    hours, rest = divmod(size, 60)
    if not hours:
        return f"{sign}{rest} min"
    return f"{sign}{hours} h {rest:02d} min" if rest else f"{sign}{hours} h"


def format_quantity(quantity: int, counted_in: str, *, language: str, workday_minutes: int | None = None) -> str:
    """Write a quantity of `credit_unit`, `minute` or a currency: `3 units`, `2 h 05 min`, `45.00 PEN`.

    Minutes that make whole workdays of `workday_minutes`, where that is given, are written as workdays.
    """
    one_unit, units, one_day, days = _UNIT_NAMES[language]
    if counted_in == "credit_unit":
        return f"{quantity} {one_unit if abs(quantity) == 1 else units}"
    if counted_in != "minute":
        return format_minor(quantity, counted_in)
    if workday_minutes and quantity % workday_minutes == 0 and quantity:
        count = quantity // workday_minutes
        return f"{count} {one_day if abs(count) == 1 else days}"
    return format_minutes(quantity)
