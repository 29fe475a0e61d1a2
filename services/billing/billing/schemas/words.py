"""Words that inputs have in common."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from plazo.runtime.inputs import Line, Name

Reference = Annotated[UUID, Field(strict=False)]
Stated = Annotated[
    dict[Name, StrictBool | Annotated[StrictInt, Field(ge=-(10**12), le=10**12)] | Line], Field(max_length=100)
]
Worded = Annotated[
    str, StringConstraints(max_length=30, pattern=r"^([1-9]\d{0,6} (unit|workday)s?|(\d{1,6}h)?(\d{1,6}m)?)$")
]
