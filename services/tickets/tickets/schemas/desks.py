"""API keys and desks."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.runtime.inputs import Input, Instant, Line, View
from tickets.schemas.words import Reference, Zone


class DeskCreate(Input):
    """A new desk; `clock_at` is where the test clock of a sandbox starts, the present unless given."""

    name: Line
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

    It may belong to one contact of it: then what that contact may do is what the key may do.
    """

    role: Literal["requester", "agent", "manager", "administrator", "integration"]
    label: Line
    customer_id: Reference | None = None
    contact_id: Reference | None = None
    expires_at: Instant | None = None


class KeyCreated(View):
    """A key; its secret is shown this once."""

    key_id: str
    role: str
    label: str
    api_key: str


class KeyView(View):
    """A key without its secret."""

    key_id: str
    role: str
    label: str
    customer_id: UUID | None
    contact_id: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None
