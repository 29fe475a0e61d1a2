"""Examine a table of rules as a whole: what no rule covers, and which rules nothing reaches.

Each fact is reduced to the few values that can make a difference: those the conditions mention, the two sides of every
bound, one value that nobody mentions, and the fact's absence. Combinations that leave the same rules in play are
followed once, so the answer is exact and does not grow with the product of all values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plazo.policy.decide import FactValue, holds, number_of
from plazo.policy.facts import Fact
from plazo.policy.rules import parse_bound

_MOST = 20_000

Value = FactValue | None
When = Mapping[str, Any]


class Other(str):
    """Stands for any value of a fact that no rule mentions."""

    __slots__ = ()


ANY_OTHER = Other("any other")


@dataclass(frozen=True, slots=True)
class Examination:
    """What a table leaves open. `gaps` are combinations no rule covers: facts they do not name may have any value.

    `unreached` are the indices of rules that never come first. `is_complete` is false if the table was too large.
    """

    gaps: tuple[dict[str, Value], ...]
    unreached: tuple[int, ...]
    is_complete: bool = True


def examine(whens: Sequence[When], facts: Mapping[str, Fact]) -> Examination:
    """Follow every combination of facts through the table of conditions."""
    # Sets of rules still in play are bit masks; each keeps one combination of facts that leads to it.
    in_play: dict[int, dict[str, Value]] = {(1 << len(whens)) - 1: {}}
    gaps: list[dict[str, Value]] = []
    for name in dict.fromkeys(name for when in whens for name in when):
        masks = [(value, _mask(whens, name, value)) for value in _values(whens, name, facts.get(name, Fact("text")))]
        following: dict[int, dict[str, Value]] = {}
        for mask, combination in in_play.items():
            for value, allowed in masks:
                extended = combination | {name: value}
                if left := mask & allowed:
                    following.setdefault(left, extended)
                else:
                    gaps.append(extended)
        if len(following) > _MOST:
            return Examination((), (), is_complete=False)
        in_play = following
    first = {(mask & -mask).bit_length() - 1 for mask in in_play}
    return Examination(tuple(gaps), tuple(index for index in range(len(whens)) if index not in first))


def _mask(whens: Sequence[When], name: str, value: Value) -> int:
    mask = 0
    for index, when in enumerate(whens):
        if name not in when or (value is not None and holds(when[name], value)):
            mask |= 1 << index
    return mask


def _values(whens: Sequence[When], name: str, fact: Fact) -> Iterator[Value]:
    """Give one value for each way in which the conditions on a fact can come out."""
    if fact.values:
        yield from fact.values
    else:
        conditions = (when[name] for when in whens if name in when)
        mentioned = [one for each in conditions for one in (each if isinstance(each, tuple | list) else (each,))]
        numbers = [number for one in mentioned if (number := _turning_point(one)) is not None]
        # Between two neighboring turning points every number comes out the same, and so beyond the outermost.
        yield from dict.fromkeys(number + step for number in numbers for step in (-1, 0, 1))
        if fact.type != "integer":
            yield from dict.fromkeys(one for one in mentioned if _turning_point(one) is None)
            yield ANY_OTHER
        elif not numbers:
            yield 0
    if not fact.always_known:
        yield None


def _turning_point(value: FactValue) -> int | None:
    if isinstance(value, str):
        bound = parse_bound(value)
        return bound.limit if bound else number_of(value)
    return number_of(value)


def describe(combination: Mapping[str, Value]) -> str:
    """Say a combination of facts in words: "severity 3, any other language, no cause"."""
    return ", ".join(_describe_one(name, value) for name, value in combination.items()) or "anything"


def _describe_one(name: str, value: Value) -> str:
    if value is None:
        return f"no {name}"
    return f"any other {name}" if isinstance(value, Other) else f"{name} {value}"
