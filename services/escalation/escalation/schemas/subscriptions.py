"""Webhook subscriptions of partner systems."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from escalation.schemas.words import Email, Reference
from plazo.runtime.inputs import Input, Instant, Line, View

Url = Annotated[
    str, StringConstraints(min_length=1, max_length=2000), Field(examples=["https://partner.example.com/plazo"])
]
Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=100), Field(examples=["ticket.*", "clock.breached", "*"])
]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100, strict=False)]
Customers = Annotated[tuple[Reference, ...], Field(max_length=1000, strict=False)]
DeliveryState = Literal["queued", "delivered", "dead"]


class SubscriptionCreate(Input):
    """A partner system that wants to be told. `events` are names, families (`ticket.*`) or `*`; `customers` are whose
    events, those of all if none is named. `contact` is told of failure where the desk has no administrator or manager.
    Without a `name` it is called by its host.
    """

    name: Line | None = None
    url: Url
    events: Patterns
    customers: Customers = ()
    contact: Email | None = None


class SubscriptionChange(Input):
    """What shall be different about a subscription. `enabled` also wakes one that was switched off."""

    name: Line | None = None
    url: Url | None = None
    events: Patterns | None = None
    customers: Customers | None = None
    contact: Email | None = None
    enabled: StrictBool | None = None


class SubscriptionView(View):
    """A subscription. `off` was switched off after persistent failure, `paused` by somebody; both keep what comes.

    The secret is shown when it is made or rotated, and never again.
    """

    subscription_id: UUID
    name: str
    url: str
    events: tuple[str, ...]
    customers: tuple[UUID, ...]
    contact: str | None
    state: Literal["active", "paused", "off"]
    state_reason: str | None
    failures: int = Field(description="attempts that failed in a row")
    failing_since: datetime | None
    previous_secret_until: datetime | None
    version: int
    created_at: datetime
    changed_at: datetime


class SubscriptionSecretView(SubscriptionView):
    """A subscription with its new secret."""

    secret: str


class SecretRotation(Input):
    """A new secret; for `overlap_hours` more every post is signed with the one before it as well."""

    overlap_hours: Annotated[StrictInt, Field(ge=0, le=24 * 30)] = 24


class ReplayOrder(Input):
    """Sends everything again from an instant of the desk (`recorded_at`) or from an event on, that one included."""

    since: Instant | None = Field(default=None, alias="from")
    from_event: Reference | None = None

    @model_validator(mode="after")
    def _name_one(self) -> Self:
        if (self.since is None) == (self.from_event is None):
            raise ValueError("expected either `from`, an instant, or `from_event`, the id of an event")
        return self


class ReplayView(View):
    """How many events will be sent again, under their own ids."""

    events: int
    kept_since: datetime = Field(
        description="the instant of the desk at which the subscription was made: what was announced before was never "
        "sent to it, and cannot be; what is older than 30 days is gone too"
    )


class PostAttemptView(View):
    """One attempt. Without `ended_at` it was cut off, or is under way."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    status: int | None
    milliseconds: int | None
    excerpt: str | None = Field(description="the beginning of the answer")
    failure: str | None


class DeliveryView(View):
    """An event for a subscription. `dead` was given up; a replay sends it again. `next_attempt_at` is that of what
    stands first about the same ticket.
    """

    delivery_id: int
    event_id: UUID
    type: str
    about: UUID
    occurred_at: datetime
    state: DeliveryState
    tries: int
    queued_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    attempts: list[PostAttemptView]


class EventBody(View):
    """What a partner system is sent, signed by Standard Webhooks. `id` is the header `webhook-id`: the same however
    often it is sent. `about` is what order is kept for: the ticket wherever there is one.
    """

    type: str
    timestamp: datetime
    id: UUID
    source: str
    about: UUID
    recorded_at: datetime
    desk_id: UUID
    data: dict[str, Any]
