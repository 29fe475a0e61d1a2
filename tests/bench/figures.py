"""What a benchmark found: values with their spread, goals, tables and charts; and how they read as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the least and the most of them."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up at least one value."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{show(self.middle)} ({show(self.low)} to {show(self.high)})"


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of the project with what was measured. `wanted` is said in words, `name` as in the list of goals."""

    name: str
    what: str
    measured: str
    wanted: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; all columns but the first are numbers, aligned right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart; `is_ours` tells Plazo from what it is compared with."""

    label: str
    value: Spread
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars on a logarithmic scale, in groups that share a heading."""

    name: str
    title: str
    unit: str
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that one part found."""

    part: str
    goals: tuple[Goal, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


def ratio(of: Sequence[float], to: Sequence[float]) -> Spread:
    """Divide the rounds of one by those of another, round by round, so that the machine's moods cancel."""
    return Spread.of([above / below for above, below in zip(of, to, strict=True)])


def times(spread: Spread) -> str:
    """Write a ratio: `12x (9.5x to 14x)`."""
    return f"{show(spread.middle)}x ({show(spread.low)}x to {show(spread.high)}x)"


def show(value: float) -> str:
    """Write a number with two or three significant digits, and thousands apart."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; the first column is aligned left, the others right."""
    lines = [tuple(columns), ("---", *["---:"] * (len(columns) - 1)), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def write_goals(goals: Sequence[Goal]) -> str:
    """Write what became of the goals as a Markdown table."""
    rows = [(f"{goal.name} {goal.what}", goal.measured, goal.wanted, "yes" if goal.is_met else "no") for goal in goals]
    return write_table(("goal", "measured", "wanted", "met"), rows)
