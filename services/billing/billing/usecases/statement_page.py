"""A statement as a page to read and print: no scripts, nothing fetched from elsewhere."""

import base64
import hashlib
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from billing.domain.accounts import Month
from billing.domain.burn_down import draw_burn_down
from billing.domain.statement import AccountMonth, Closed, Statement, days_of
from billing.domain.statement_words import Wording

_ROWS = ("granted", "used", "held", "expired", "credited", "late")


@cache
def _style() -> str:
    return (resources.files("billing") / "templates" / "statement.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("billing"), autoescape=True, undefined=StrictUndefined)


def content_security_policy() -> str:
    """Return what a browser may do with the page: show it, with its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def render_page(statement: Statement, closed: Closed | None, words: Wording) -> str:
    """Return the page of a statement in the words of a locale."""
    workdays = {one.account_id: one.unit_minutes if one.unit == "workday" else None for one in statement.accounts}
    units = {one.account_id: one.counted_in for one in statement.accounts}
    return (
        _environment()
        .get_template("statement.html")
        .render(
            statement=statement,
            closed=closed,
            state="closed" if closed else "open",
            words=words,
            style=Markup(_style()),  # noqa: S704  # our own file
            days=_days(statement),
            accounts=[_account(one, words) for one in statement.accounts],
            late=[
                (one, words.amount(one.amount, units[one.account_id], workday_minutes=workdays[one.account_id]))
                for one in statement.late
            ],
            credits=[(one, words.amount(one.amount, one.counted_in)) for one in statement.credits],
        )
    )


def _days(statement: Statement) -> tuple[date, ...]:
    month = Month(statement.month, statement.begins_at, statement.ends_at)
    return days_of(month, statement.timezone)


def _account(month: AccountMonth, words: Wording) -> dict[str, Any]:
    workday = month.unit_minutes if month.unit == "workday" else None

    def amount(quantity: int) -> str:
        return words.amount(quantity, month.counted_in, workday_minutes=workday)

    shown = ["opening", *(name for name in _ROWS if getattr(month, name)), "closing"]
    return {
        "month": month,
        "rows": [(name, amount(getattr(month, name))) for name in shown],
        "burn_down": Markup(draw_burn_down(month, words)) if month.days else None,  # noqa: S704  # escaped as drawn
        "tickets": [(use, amount(use.quantity)) for use in month.by_ticket],
    }
