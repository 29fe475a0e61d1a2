"""Words that several inputs share."""

import re
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from plazo.calendar.zone import load_zone
from plazo.runtime.inputs import Fact, Line, Name


def _refuse_other_than_date(value: Any) -> Any:
    """Refuse what pydantic would take for a date: a number, an instant at midnight."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return value
    raise ValueError("expected a date such as 2026-05-04")


def _refuse_unknown_zone(name: str) -> str:
    load_zone(name)
    return name


def _refuse_unprintable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected characters that can be seen")
    return text


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


# It becomes the subject of mails, where a line break would begin another header.
Subject = Annotated[Line, AfterValidator(_in_one_line)]
Stated = Annotated[dict[Name, Fact], Field(max_length=100)]
Zone = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/:-]+$"), AfterValidator(_refuse_unknown_zone)
]
Day = Annotated[
    date, Field(strict=False, ge=date(1970, 1, 1), lt=date(2200, 1, 1)), BeforeValidator(_refuse_other_than_date)
]
Reference = Annotated[UUID, Field(strict=False)]
# The address alone, as mail is compared with it: no name around it, nothing that a reader does not see.
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"""^[^@\s\x00<>()",;:\\]+@[^@\s\x00<>()",;:\\]+$"""),
    AfterValidator(_refuse_unprintable),
]
