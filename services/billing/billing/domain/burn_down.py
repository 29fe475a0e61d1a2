"""A burn-down as SVG: what an account held as each day of a month ended. It says the same in words."""

from collections.abc import Sequence
from html import escape

from billing.domain.statement import AccountMonth, Day
from billing.domain.statement_words import Wording

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 16, 16, 30
_STEPS = 4


def draw_burn_down(account: AccountMonth, words: Wording) -> str:
    """Draw an account's month, with a title and a description for who cannot see it.

    :raises ValueError: without days
    """
    days = account.days
    if not days:
        raise ValueError(f"account {account.account_id} has no days to draw")

    def amount(quantity: int) -> str:
        workday = account.unit_minutes if account.unit == "workday" else None
        return words.amount(quantity, account.counted_in, workday_minutes=workday)

    balances = [account.opening + account.late, *(day.balance for day in days)]
    low, high = min(0, *balances), max(1, *balances)
    said = words["burn_down_text"].format(
        first=words.day(days[0].date),
        last=words.day(days[-1].date),
        opening=amount(balances[0]),
        closing=amount(balances[-1]),
        least=amount(min(balances)),
    )
    name = f"burn-down-{account.account_id}"
    title = f"{words['burn_down']}: {words.account(account.name)}"
    box, described_by = f"0 0 {_WIDTH} {_HEIGHT}", f"{name}-title {name}-text"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" aria-labelledby="{described_by}">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-text">{escape(said)}</desc>',
    ]
    for step in range(_STEPS + 1):
        value = low + (high - low) * step // _STEPS
        y = _height_of(value, low, high)
        lines.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ccc"/>')
        lines.append(
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end" font-size="11">{escape(amount(value))}</text>'
        )
    lines += _day_marks(days)
    lines.append(f'<path d="{_path(balances, low, high)}" fill="none" stroke="#0b6e4f" stroke-width="2"/>')
    return "\n".join([*lines, "</svg>"])


def _height_of(value: int, low: int, high: int) -> int:
    return _HEIGHT - _BOTTOM - (value - low) * (_HEIGHT - _TOP - _BOTTOM) // (high - low)


def _place_of(number: int, count: int) -> int:
    return _LEFT + number * (_WIDTH - _LEFT - _RIGHT) // count


def _day_marks(days: Sequence[Day]) -> list[str]:
    return [
        f'<text x="{_place_of(day.date.day, len(days))}" y="{_HEIGHT - 10}" text-anchor="middle" font-size="11">'
        f"{day.date.day}</text>"
        for day in days
        if day.date.day == 1 or day.date.day % 5 == 0
    ]


def _path(balances: Sequence[int], low: int, high: int) -> str:
    """Draw steps: a balance holds until the day on which it moved ends."""
    count = len(balances) - 1
    moves = [f"M{_LEFT} {_height_of(balances[0], low, high)}"]
    for number, balance in enumerate(balances[1:], start=1):
        moves.append(f"H{_place_of(number, count)}V{_height_of(balance, low, high)}")
    return "".join(moves)
