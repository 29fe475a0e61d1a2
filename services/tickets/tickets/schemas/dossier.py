"""What belongs to a ticket beside its course: files, secrets, the chain of its timeline; views, search and stream."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from plazo.runtime.inputs import Input, Line, View
from tickets.schemas.tickets import DecisionView, TicketView


class AttachmentView(View):
    """A file of a ticket. `is_suspect` says that its first bytes are not of the type that its sender declared."""

    attachment_id: UUID
    ticket_id: UUID
    name: str
    size: int
    sha256: str
    declared_type: str
    found_type: str | None
    is_suspect: bool
    internal: bool
    added_by: str
    added_at: datetime
    erased_at: datetime | None = None


class SecretCreate(Input):
    """A credential for whoever handles the ticket. Its value is kept encrypted and is not shown by any other call.

    A ticket takes 20 in all. Where a value is repeated, `[secret N]` takes its place, N being its place in the list.
    """

    label: Line
    value: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] = Field(repr=False)


class SecretView(View):
    """A credential without its value."""

    secret_id: UUID
    label: str
    added_by: str
    added_at: datetime
    revealed_at: datetime | None
    revealed_to: str | None
    erased_at: datetime | None


class SecretRevealed(View):
    """A credential, shown this once. A repeated request is answered without the value."""

    secret_id: UUID
    label: str
    value: str | None = Field(repr=False)
    revealed_at: datetime


class VerificationView(View):
    """Whether the timeline is what was recorded. `position` is the first entry that is not, `reason` why.

    A customer is told of the entries that it sees: how many, how many of them erased, and the hash of the last one.
    """

    ticket_id: UUID
    number: str
    intact: bool
    entries: int
    erased: int
    head: str
    position: int | None
    reason: str | None


class ChainedEntryView(View):
    """An entry with all that its chain covers, in the order of recording. Bytes are hexadecimal."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    actor: str
    internal: bool
    text: str | None
    data: dict[str, Any]
    salt: str | None
    digest: str
    hash: str
    erased_at: datetime | None


class EvidenceView(View):
    """What this service knows of a ticket, to be kept and verified elsewhere."""

    format: Literal["plazo-timeline-1"] = "plazo-timeline-1"
    made_at: datetime
    ticket: TicketView
    decisions: list[DecisionView]
    attachments: list[AttachmentView]
    timeline: list[ChainedEntryView]
    head: str
    policy: dict[str, Any]


class ContactExport(View):
    """Everything about a contact."""

    made_at: datetime
    contact: dict[str, Any]
    tickets: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    attachments: list[AttachmentView]
    requests: list[dict[str, Any]]


class ErasureCreate(Input):
    """Why a contact is erased: the request of the person, a legal duty."""

    reason: Line


class ErasureView(View):
    """What was erased."""

    contact_id: UUID
    erased_at: datetime
    tickets: int
    entries: int
    attachments: int
    requests: int


class TicketFilter(Input):
    """Which tickets; what is not given does not matter. Several states mean any of them."""

    state: list[Line] | None = Field(default=None, max_length=20)
    level: int | None = Field(default=None, ge=0, le=100)
    team: Line | None = None
    assignee: Line | None = None
    customer_id: Annotated[UUID, Field(strict=False)] | None = None
    severity: Line | None = None
    priority: Line | None = None
    plan: Line | None = None
    flag: Line | None = None
    breached: bool | None = None
    held: bool | None = None
    due_before: datetime | None = None


class SavedViewCreate(Input):
    """A filter to keep under a name; a name that is there already gets the new filter."""

    name: Line
    filter: TicketFilter


class SavedViewView(View):
    """A kept filter, and how many tickets it finds now: 10,000 stands for that many or more."""

    view_id: UUID
    name: str
    filter: dict[str, Any]
    made_by: str
    made_at: datetime
    count: int


class FoundView(View):
    """A ticket that a search found, with the place where the words are between « and »."""

    ticket: TicketView
    snippet: str
