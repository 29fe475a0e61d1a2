"""Words that inputs have in common."""

import re
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from plazo.runtime.inputs import Line, Name

Reference = Annotated[UUID, Field(strict=False)]
Stated = Annotated[
    dict[Name, StrictBool | Annotated[StrictInt, Field(ge=-(10**12), le=10**12)] | Line], Field(max_length=100)
]
_WORDED = re.compile(r"([1-9]\d{0,6} (unit|workday)s?|(\d{1,6}h)?(\d{1,6}m)?)")
_MOST = 10**9


def _check_amount(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
    if not is_number and not (isinstance(value, str) and value and _WORDED.fullmatch(value)):
        raise ValueError(f"expected a whole number from 1 to {_MOST}, or text such as 5 units, 2 workdays, 90m")
    return value


#: A number of units, or as policies word it.
Amount = Annotated[int | str, BeforeValidator(_check_amount)]
