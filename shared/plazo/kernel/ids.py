"""Identifiers, made by the application."""

from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

_DERIVED = UUID("6f0c8f5e-0d7e-5b3c-9d0a-7a2b6c1e4f90")


def new_id() -> UUID:
    """Return a new time-ordered id (UUID version 7)."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """Return the one id that belongs to `parts`, the same each time (UUID version 5).

    What a timer or a rule causes has such an id, so that causing it twice is seen as once.
    """
    return uuid5(_DERIVED, "\x1f".join(str(part) for part in parts))
