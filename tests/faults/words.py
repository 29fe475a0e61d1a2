"""Reading and saying instants."""

from datetime import UTC, datetime


def instant(text: str | None) -> datetime | None:
    """Read an instant as the API writes it."""
    return None if text is None else datetime.fromisoformat(text)


def words(value: object) -> str:
    """Say a value, instants as the API writes them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return "(" + ", ".join(words(one) for one in value) + ")"
    return str(value)
