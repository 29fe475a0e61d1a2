"""API keys and desks."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from plazo.runtime.inputs import Input, Instant, Line, View, is_one_line
from tickets.schemas.words import Reference, Zone

Scope = Annotated[
    str,
    StringConstraints(pattern=r"^(tickets|sla-clock|escalation|billing):(read|write)$"),
    Field(examples=["tickets:read"]),
]


def _refuse_control(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("expected one line, without control characters")
    return text


# It stands in lists, logs and timelines, in front of what somebody did.
Label = Annotated[Line, AfterValidator(_refuse_control)]


class DeskCreate(Input):
    """A new desk; `clock_at` is where the test clock of a sandbox starts, the present unless given."""

    name: Label
    sandbox: bool = False
    timezone: Zone = "UTC"
    clock_at: Instant | None = None


class NewDesk(View):
    """A desk and its first administrator key, which is shown this once."""

    desk_id: UUID
    name: str
    sandbox: bool
    clock_at: datetime | None
    api_key: str


class DeskView(View):
    """A desk."""

    desk_id: UUID
    name: str
    sandbox: bool
    timezone: str
    clock_at: datetime | None


class KeyCreate(Input):
    """A new API key. A requester's key belongs to a customer and sees that customer only.

    It may belong to one contact of it: then what that contact may do is what the key may do. No key may more than the
    one it is issued with, or for longer.
    """

    role: Literal["requester", "agent", "manager", "administrator", "integration"]
    label: Label
    customer_id: Reference | None = None
    contact_id: Reference | None = None
    expires_at: Instant | None = Field(
        default=None, description="its end, by the real time; that of the caller's key unless given"
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=8)] | None = Field(
        default=None,
        description="the services it may read (GET) or write, within its role; those of the caller's key unless given",
    )


class KeyRotate(Input):
    """A new secret for a key; the one before stays valid for a while, so that it can be replaced everywhere."""

    overlap_minutes: int = Field(default=1440, ge=0, le=43_200, description="a day unless given, thirty at most")


class KeyRotated(View):
    """A key's new secret, shown this once; the one before is valid until `previous_until`."""

    key_id: str
    api_key: str
    previous_until: datetime


class KeyRevoked(View):
    """A key that is no longer valid. `everywhere` says that every service was seen to know it.

    Otherwise those that could not be asked will know when they are reached.
    """

    key_id: str
    state: Literal["revoked"] = "revoked"
    everywhere: bool


class DeskKeyCreate(Input):
    """A new administrator key for a desk whose own are lost."""

    label: Label


class DeskRevocation(Input):
    """Which key of a desk to revoke; every one unless given."""

    key_id: Line | None = None


class DeskRevoked(View):
    """The keys of a desk that are no longer valid."""

    key_ids: list[str]
    everywhere: bool


class DeskSummary(View):
    """A desk as the operator sees it."""

    desk_id: UUID
    name: str
    sandbox: bool
    timezone: str
    clock_at: datetime | None
    valid_keys: int


class KeyCreated(View):
    """A key; its secret is shown this once. Without `scopes` it has all, without `expires_at` no end."""

    key_id: str
    role: str
    label: str
    api_key: str
    scopes: list[str] | None = None
    expires_at: datetime | None = None


class KeyView(View):
    """A key without its secret: `prefix` is how it begins.

    `last_used_at` is told by all services, up to a minute late; `previous_until` is set while two secrets are valid.
    """

    key_id: str
    prefix: str
    role: str
    label: str
    customer_id: UUID | None
    contact_id: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None
    scopes: list[str] | None = None
    previous_until: datetime | None = None
    last_used_at: datetime | None = None
