"""What happens to a ticket."""

from typing import Annotated, Literal

from pydantic import Field

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, Prose


class FactsChange(Input):
    """Stated facts to change; null withdraws one. What depends on them is decided again."""

    facts: Annotated[dict[Name, Fact | None], Field(min_length=1, max_length=100)]


class ReplyCreate(Input):
    """Something said. From the desk's people an `internal` one is a note that the customer never sees."""

    text: Prose
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser"] = "email"
    internal: bool = False


class WaitCreate(Input):
    """A wait to begin."""

    cause: Literal["customer", "vendor", "agreed_window"]
    reason: Line


class DateCreate(Input):
    """The date by which the work shall be done."""

    due_at: Instant


class ResolutionCreate(Input):
    """How it was resolved; `kind` is one that the policy names."""

    kind: Name = "fix"
    text: Prose


class ReopeningCreate(Input):
    """Why it is not solved."""

    reason: Line


class ClosingCreate(Input):
    """Why it is over: the customer confirms, or withdraws the request."""

    reason: Literal["confirmed", "withdrawn"]
