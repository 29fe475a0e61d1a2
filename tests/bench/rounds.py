"""Alternation: every variant has its turn in every round, so that a slow moment of the machine hits all alike."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from time import process_time_ns
from typing import Any


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to answer: `answer_all` takes a list of cases, each put as that way wants it."""

    answer_all: Callable[[Sequence[Any]], object]
    cases: Sequence[Any]


def measure(variants: Mapping[str, Variant], *, rounds: int, turn_ms: float) -> dict[str, list[float]]:
    """Return for each variant, round by round, the nanoseconds of processor time that one case takes.

    A turn lasts about `turn_ms`, and one case at least.
    """
    turns = {name: _fill_turn(variant, turn_ms) for name, variant in variants.items()}
    taken: dict[str, list[float]] = {name: [] for name in variants}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, variant in variants.items():
                taken[name].append(_time(variant, turns[name]))
    finally:
        gc.enable()
    return taken


def _fill_turn(variant: Variant, turn_ms: float) -> list[Any]:
    """Choose as many cases as fill a turn, taking them round and round."""
    cases = list(variant.cases[:1])
    while (spent := _time(variant, cases) * len(cases)) < turn_ms * 1e6:
        wanted = int(len(cases) * turn_ms * 1e6 / max(spent, 1)) + 1
        cases = list(islice(cycle(variant.cases), min(wanted, len(cases) * 10)))
    return cases


def _time(variant: Variant, cases: Sequence[Any]) -> float:
    start = process_time_ns()
    variant.answer_all(cases)
    return (process_time_ns() - start) / len(cases)
