"""Keyset pagination: lists are `{items, next_cursor}`, and a page costs the same wherever it is."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field, TypeAdapter
from pydantic_core import to_json

from plazo.kernel.errors import Fault, InvalidInput
from plazo.runtime.inputs import Instant

T = TypeVar("T")

MAX_LIMIT = 200
# A cursor comes from outside: its keys must be ones that PostgreSQL can compare.
_COMPARABLE: dict[type[Any], Any] = {datetime: Instant, int: Annotated[int, Field(ge=-(2**63), lt=2**63)]}


class Page(BaseModel, Generic[T]):
    """Some items, in order, and where the next ones begin."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="pass it as `cursor` for the next page; null on the last")


def encode_cursor(keys: Sequence[Any]) -> str:
    """Return an opaque cursor that stands behind the row with these sort keys."""
    return base64.urlsafe_b64encode(to_json(keys)).decode().rstrip("=")


def position(cursor: str | None, *types: type[Any]) -> Any:
    """Return the sort keys that a cursor stands behind, of the given `types`; None for no cursor.

    :raises InvalidInput: if it is not a cursor of such a list
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        shape: Any = tuple[tuple(_COMPARABLE.get(one, one) for one in types)]  # type: ignore[misc]
        keys: Any = TypeAdapter(shape).validate_json(raw)
    except ValueError as error:
        fault = Fault(pointer="", message="cursor: expected the next_cursor of a page of this list")
        raise InvalidInput("the cursor is not one of this list", faults=[fault]) from error
    return keys


def page_of(items: Sequence[T], *, limit: int, keys: Callable[[T], Sequence[Any]]) -> Page[T]:
    """Return a page from `limit + 1` rows that were asked for; `keys` gives a row's sort keys."""
    shown = list(items[:limit])
    more = len(items) > limit
    return Page(items=shown, next_cursor=encode_cursor(keys(shown[-1])) if more else None)
