"""What every rule of a policy document is made of: a condition, a clause, and the reading taken where it is silent."""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from plazo.calendar import parse_target
from plazo.calendar.zone import load_zone
from plazo.kernel.errors import InvalidInput

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOUND = re.compile(r"(>=|<=|>|<)\s*(-?\d{1,15})")


class Bound(NamedTuple):
    """A comparison with a whole number, such as "> 45"."""

    operator: str
    limit: int

    def holds(self, value: int) -> bool:
        """Tell whether `value` is on the right side of the limit."""
        match self.operator:
            case ">":
                return value > self.limit
            case ">=":
                return value >= self.limit
            case "<":
                return value < self.limit
            case _:
                return value <= self.limit


@lru_cache(maxsize=4096)
def parse_bound(text: str) -> Bound | None:
    """Read "> 45", ">= 45", "< 45" or "<= 45"; None when `text` is a plain value."""
    found = _BOUND.fullmatch(text)
    return Bound(found[1], int(found[2])) if found else None


def text_of(value: object) -> str:
    """Spell a fact's value the way conditions compare it: true, 45, critical."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check_scalar(value: object) -> object:
    if not isinstance(value, str | int):
        raise ValueError("expected a value, a list of values, or a bound such as '> 45'")  # noqa: TRY004 - pydantic's kind
    if isinstance(value, str) and value[:1] in "<>" and parse_bound(value) is None:
        raise ValueError(
            f"{value!r} is not a bound; expected '> 45', '>= 45', '< 45' or '<= 45', a whole number"
            if value
            else "expected a value, not empty text"
        )
    return value


def _check_condition(value: object) -> object:
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("expected at least one value: an empty list never holds")
        return tuple(_check_scalar(one) for one in value)
    return _check_scalar(value)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_day(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError(f"expected a date such as 2026-01-31, not {value!r}")


def _check_zone(name: str) -> str:
    load_zone(name)
    return name


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_target(text: str) -> str:
    try:
        parse_target(text)
    except InvalidInput as invalid:
        raise ValueError(invalid.message) from None
    return text


Scalar: TypeAlias = bool | int | str
Condition = Annotated[
    Scalar | tuple[Scalar, ...],
    BeforeValidator(_check_condition, json_schema_input_type=Scalar | list[Scalar]),
]
Name = Annotated[
    str,
    BeforeValidator(_as_text, json_schema_input_type=str | int),
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64),
]
When = dict[Name, Condition]
ClauseId = Annotated[str, Field(pattern=r"^[A-Z]{2,8}-[0-9]{2,4}$")]
Clauses = Annotated[
    tuple[ClauseId, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=ClauseId | list[ClauseId]),
    Field(min_length=1),
]
TargetText = Annotated[str, AfterValidator(_check_target)]
#: A local date, written 2026-01-31.
Day = Annotated[date, BeforeValidator(_check_day, json_schema_input_type=date)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
Line = Annotated[str, Field(min_length=1, max_length=1000)]

TargetKind = Literal["acknowledgement", "first_response", "next_reply", "periodic_update", "resolution"]
ClockKind = Literal[
    "acknowledgement",
    "first_response",
    "next_reply",
    "periodic_update",
    "resolution",
    "agreed",
    "availability",
]
Role = Literal[
    "requester",
    "customer_administrator",
    "all_customers",
    "assignee",
    "team",
    "team_lead",
    "consultant",
    "project_manager",
    "executive",
    "manager",
    "administrator",
]


class Section(BaseModel):
    """A frozen part of a policy document; a field it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Section):
    """Words for people, in both languages."""

    es: Line
    en: Line


class Reading(Section):
    """What was chosen where the contract is silent, why, and what else it could mean."""

    choice: Line
    why: Line
    alternatives: Annotated[tuple[Line, ...], Field(min_length=1)]


#: A reading in place, or the name of one under `readings` that several rules share.
ReadingOrName = Reading | Name | None


class Clausal(Section):
    """A provision that a clause orders."""

    clause: Clauses
    reading: ReadingOrName = None


class Rule(Clausal):
    """One row of a decision: it decides when every condition of `when` holds; an empty `when` always holds."""

    when: When = Field(default_factory=dict)
