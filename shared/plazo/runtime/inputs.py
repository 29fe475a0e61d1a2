"""Types of what comes in over HTTP: strict where a wrong guess would cost somebody money."""

from datetime import datetime
from typing import Annotated, Any, Self
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema

from plazo.kernel.errors import PlazoError
from plazo.kernel.time import parse_instant

_MOST_UNKNOWN = 20
_MOST_ENTRIES: dict[type, int] = {list: 10_000, dict: 1000}  # no input takes more


class Input(BaseModel):
    """A request body: unknown fields are refused, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_no_heap(cls: type[Self], given: Any) -> Any:
        # Each entry may be a fault of its own: to put tens of thousands into words would hold up everybody else.
        if not isinstance(given, dict):
            return given
        known = len(cls.model_fields)
        if len(given) > known + _MOST_UNKNOWN and cls.model_config.get("extra") == "forbid":
            raise ValueError(f"expected no more than the {known} fields that are known here, got {len(given)}")
        for name, value in given.items():
            most = _MOST_ENTRIES.get(type(value))
            if most is not None and len(value) > most:
                raise ValueError(f"{name[:100]}: expected at most {most} entries, got {len(value)}")
        return given


class View(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True)


def _refuse_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character U+0000")
    return text


def is_one_line(text: str) -> bool:
    """Tell whether a text is one line that shows as it is: no control characters, no halves of characters."""
    return not any(category(one) in ("Cc", "Cs", "Zl", "Zp") for one in text)


def _read_instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueError("expected an RFC 3339 instant with an offset, such as 2026-05-04T09:00:00Z")  # noqa: TRY004
    try:
        return parse_instant(value)
    except PlazoError as error:
        raise ValueError(error.message) from error


def _read_fact(value: Any) -> bool | int | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_FACT:
        return value
    if isinstance(value, str) and 1 <= len(value) <= _LONGEST_FACT and "\x00" not in value:
        return value
    raise ValueError(
        f"expected true, false, a whole number up to {_LARGEST_FACT:,} or text of 1 to {_LONGEST_FACT} characters"
    )


_LARGEST_FACT = 10**12
_LONGEST_FACT = 500

Fact = Annotated[
    bool | int | str,
    BeforeValidator(_read_fact),
    WithJsonSchema({"type": ["boolean", "integer", "string"], "examples": ["critical", 46, True]}),
]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_refuse_nul)
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=100_000), AfterValidator(_refuse_nul)]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=100),
    Field(examples=["smartcloud-dedicated"]),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_read_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-05-04T09:00:00Z"]}),
]
