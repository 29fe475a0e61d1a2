"""Part `calendar`: working time added and measured, against the Python packages that can and a bare numpy table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np

from bench.figures import Bar, Chart, Goal, Report, Spread, Table, ratio, show, times
from bench.office import Peer, our_calendar, peers
from bench.rounds import Variant, measure
from bench.window_table import WindowTable, build_window_table
from plazo.kernel.time import HOUR, SECOND, from_micros

HOURS = (4, 24, 72, 2000)
_CASES = 2_000
_BATCH = 1_000_000
_PAIRS = 100_000
_YEAR_SECONDS = 365 * 86_400
_FROM = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

OURS, OURS_AWARE = "Plazo, epoch integers", "Plazo, aware datetimes"
_ADD_GOALS = {4: 40, 24: 120, 72: 350, 2000: 9_000}
Say = Callable[[str], None]
Timings = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Span:
    """One length of working time: what each variant took, and what of it was wrong."""

    hours: int
    add: Timings
    between: Timings
    wrong: dict[tuple[str, str], str]


def run(say: Say) -> Report:
    """Measure the calendar; about a minute."""
    table = build_window_table()
    others = peers()
    spans = []
    for hours in HOURS:
        say(f"{hours} h of working time")
        spans.append(_measure_span(hours, others, table))
    say(f"batches of {_BATCH:,}")
    batches = {hours: _measure_batch(hours, table) for hours in HOURS}
    say(f"{_PAIRS:,} random questions, checked")
    mistakes = _count_mistakes(table)
    return Report(
        part="calendar",
        goals=tuple(_goals(spans, batches, mistakes)),
        tables=(
            _table("Adding working time, ns of processor time a question", "add", spans),
            _table("Measuring working time, ns of processor time a question", "between", spans),
            _batch_table(batches),
        ),
        charts=(_chart("add", "Adding working time", spans), _chart("between", "Measuring working time", spans)),
    )


def _measure_span(hours: int, others: Sequence[Peer], table: WindowTable) -> Span:
    random = Random(hours)
    starts = [(_FROM + random.randrange(_YEAR_SECONDS)) * SECOND for _ in range(_CASES)]
    ours = our_calendar()
    untils = [ours.due_micros(start, hours * HOUR) for start in starts]
    for start, until in zip(starts, untils, strict=True):
        assert until == table.walk_due(start // SECOND, hours * 3600) * SECOND
    instants = [(from_micros(start), from_micros(until)) for start, until in zip(starts, untils, strict=True)]
    adding = {
        OURS: Variant(_answer_due(ours.due_micros, hours * HOUR), starts),
        OURS_AWARE: Variant(_answer_due(ours.due, timedelta(hours=hours)), [start for start, _ in instants]),
    }
    measuring = {
        OURS: Variant(_answer_between(ours.working_micros), list(zip(starts, untils, strict=True))),
        OURS_AWARE: Variant(_answer_between(ours.working_time), instants),
    }
    wrong: dict[tuple[str, str], str] = {}
    for peer in others:
        put = [(peer.express(start), peer.express(until)) for start, until in instants]
        if peer.add:
            adding[peer.name] = Variant(_answer_due(peer.add, hours), [start for start, _ in put])
            wrong["add", peer.name] = _check_add(peer, put, hours)
        if peer.between:
            measuring[peer.name] = Variant(_answer_between(peer.between), put)
            wrong["between", peer.name] = _check_between(peer, put, hours)
    return Span(hours, measure(adding, rounds=7, turn_ms=30), measure(measuring, rounds=7, turn_ms=30), wrong)


def _answer_due(due: Callable[[Any, Any], Any], target: Any) -> Callable[[Sequence[Any]], None]:
    def answer_all(cases: Sequence[Any]) -> None:
        for start in cases:
            due(start, target)

    return answer_all


def _answer_between(between: Callable[[Any, Any], Any]) -> Callable[[Sequence[Any]], None]:
    def answer_all(cases: Sequence[Any]) -> None:
        for start, until in cases:
            between(start, until)

    return answer_all


def _check_add(peer: Peer, put: Sequence[tuple[Any, Any]], hours: int) -> str:
    """Count wrong answers: `put` are starts and right answers in the peer's words."""
    assert peer.add is not None
    checked = put[: _checks(hours)]
    wrong = sum(peer.read(peer.add(start, hours)) != peer.read(until) for start, until in checked)
    return f"{wrong}/{len(checked)}"


def _check_between(peer: Peer, put: Sequence[tuple[Any, Any]], hours: int) -> str:
    assert peer.between is not None
    checked = put[: _checks(hours)]
    wrong = sum(abs(peer.between(start, until) - hours * 3600) > 1e-6 for start, until in checked)
    return f"{wrong}/{len(checked)}"


def _checks(hours: int) -> int:
    return 40 if hours < 1000 else 20


def _measure_batch(hours: int, table: WindowTable) -> Timings:
    """Return the nanoseconds a clock in batches, ours and the bare table's."""
    seconds = _FROM + np.random.default_rng(hours).integers(0, _YEAR_SECONDS, _BATCH)
    micros = seconds * SECOND
    ours = our_calendar()
    assert np.array_equal(ours.due_batch(micros, hours * HOUR), table.due(seconds, hours * 3600) * SECOND)
    untils = ours.due_batch(micros, hours * HOUR)
    variants = {
        "due_batch": Variant(lambda _: ours.due_batch(micros, hours * HOUR), [None]),
        "bare numpy table": Variant(lambda _: table.due(seconds, hours * 3600), [None]),
        "working_batch": Variant(lambda _: ours.working_batch(micros, untils), [None]),
    }
    taken = measure(variants, rounds=7, turn_ms=10)
    return {name: [turn / _BATCH for turn in turns] for name, turns in taken.items()}


def _count_mistakes(table: WindowTable) -> int:
    """Compare what both forms measure between 100,000 random pairs of instants with sums over the windows."""
    random = np.random.default_rng(1)
    starts = _FROM + random.integers(0, _YEAR_SECONDS, _PAIRS)
    untils = starts + random.integers(0, 2 * _YEAR_SECONDS, _PAIRS)
    ours = our_calendar()
    batch = ours.working_batch(starts * SECOND, untils * SECOND).tolist()
    mistakes = 0
    for start, until, measured in zip(starts.tolist(), untils.tolist(), batch, strict=True):
        right = table.walk_between(start, until) * SECOND
        mistakes += (measured != right) + (ours.working_micros(start * SECOND, until * SECOND) != right)
    return mistakes


def _fastest(timings: Timings, wrong: dict[tuple[str, str], str], operation: str) -> str:
    right = [name for name in timings if wrong.get((operation, name), "").startswith("0/")]
    return min(right, key=lambda name: Spread.of(timings[name]).middle)


def _goals(spans: Sequence[Span], batches: dict[int, Timings], mistakes: int) -> list[Goal]:
    goals = []
    for span in spans:
        for name in (_fastest(span.add, span.wrong, "add"), "opening-hours-py, dated holidays + walk"):
            lead = ratio(span.add[name], span.add[OURS])
            wanted = _ADD_GOALS[span.hours]
            goals.append(
                Goal("G1", f"add {span.hours} h, against {name}", times(lead), f">= {wanted:,}x", lead.middle >= wanted)
            )
    flat = ratio(spans[-1].add[OURS], spans[0].add[OURS])
    goals.append(Goal("G1", "add 2000 h against 4 h: flat in the span", times(flat), "<= 1.5x", flat.middle <= 1.5))
    for span in spans:
        name = _fastest(span.between, span.wrong, "between")
        for ours, wanted in ((OURS, 10), (OURS_AWARE, 2)):
            lead = ratio(span.between[name], span.between[ours])
            what = f"between, {span.hours} h, {ours.removeprefix('Plazo, ')}, against {name}"
            goals.append(Goal("G2", what, times(lead), f">= {wanted}x", lead.middle >= wanted))
    goals.append(
        Goal("G2", f"wrong answers in {2 * _PAIRS:,}, against sums over windows", str(mistakes), "0", mistakes == 0)
    )
    for hours, timings in batches.items():
        cost = ratio(timings["due_batch"], timings["bare numpy table"])
        what = f"batch of 1,000,000, {hours} h, against the bare numpy table"
        goals.append(Goal("G3", what, times(cost), "<= 2x", cost.middle <= 2))
    return goals


def _table(title: str, operation: str, spans: Sequence[Span]) -> Table:
    names = list(getattr(spans[0], operation))
    rows = [
        (
            name,
            *(str(Spread.of(getattr(span, operation)[name])) for span in spans),
            ", ".join(span.wrong.get((operation, name), "-") for span in spans),
        )
        for name in names
    ]
    columns = ("who", *(f"{span.hours} h" for span in spans), "wrong / checked")
    return Table(title, columns, tuple(rows))


def _batch_table(batches: dict[int, Timings]) -> Table:
    names = list(next(iter(batches.values())))
    rows = [(name, *(str(Spread.of(timings[name])) for timings in batches.values())) for name in names]
    columns = ("kernel", *(f"{hours} h" for hours in batches))
    return Table("Batches of 1,000,000 clocks, ns of processor time a clock", columns, tuple(rows))


def _chart(operation: str, title: str, spans: Sequence[Span]) -> Chart:
    groups = tuple(
        (
            f"{span.hours} h",
            tuple(
                Bar(name, Spread.of(turns), name in {OURS, OURS_AWARE})
                for name, turns in getattr(span, operation).items()
            ),
        )
        for span in spans
    )
    widest = show(max(max(turns) for span in spans for turns in getattr(span, operation).values()) / 1e6)
    return Chart(f"calendar-{operation}", f"{title}: up to {widest} ms a question", "ns a question", groups)
