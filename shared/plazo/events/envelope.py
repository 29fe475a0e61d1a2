"""The envelope of an event: CloudEvents 1.0 attributes, and what Plazo needs to keep order and cause."""

from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

SERVICES = ("tickets", "sla_clock", "escalation", "billing")


class Event(BaseModel):
    """A fact, in the past tense, with all that its readers need.

    Fields may be added with a default; anything else is a new class with the next `version`. Unknown fields are
    ignored, so that a reader of yesterday understands a writer of tomorrow.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    producer: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def type(cls) -> str:
        """Return the CloudEvents type, such as `ticket.opened.v1`."""
        return f"{cls.name}.v{cls.version}"


class Envelope(BaseModel):
    """One event on its way.

    `aggregate_id` is what order is kept for: the ticket wherever there is one. `aggregate_version` counts the events
    that `producer` emitted about it: 1, 2, 3, without gaps. `occurred_at` is when the fact became true,
    `recorded_at` when its producer learnt it. `taken_in` is how many events of each other service about the aggregate
    the producer had taken in when it announced this one: whoever reads both takes in those first.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    producer: str
    type: str
    desk_id: UUID
    aggregate_id: UUID
    aggregate_version: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None
    taken_in: dict[str, int] | None = None
    data: dict[str, Any]
