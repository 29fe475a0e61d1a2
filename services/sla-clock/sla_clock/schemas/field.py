"""Types of fields that several bodies have."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from plazo.calendar import Target, parse_target
from plazo.kernel.errors import PlazoError


def _read_target(value: Any) -> Target:
    if isinstance(value, Target):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a length of time such as 30m, 4h, 2 days or 1 business_day")  # noqa: TRY004
    try:
        return parse_target(value)
    except PlazoError as error:
        raise ValueError(error.message) from error


TargetText = Annotated[
    Target, BeforeValidator(_read_target, json_schema_input_type=str), Field(examples=["4h", "1 business_day"])
]
Identifier = Annotated[UUID, Field(strict=False)]
