"""Mail, addresses, hooks and imports, as they go in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, Prose, View
from tickets.domain.mapping import Choice, PostMapping
from tickets.schemas.words import Email, Reference, Stated, Subject

Template = Annotated[str, StringConstraints(max_length=4000)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^{}|\s]+$")]
Outcome = Literal[
    "ticket_opened", "reply_added", "answered", "noted", "resolved", "reopened", "kept", "ignored", "duplicate"
]
MailAddress = Annotated[
    str,
    StringConstraints(to_lower=True, max_length=254, pattern=r"^[^@\s\x00]{1,64}@[^@\s\x00]+$"),
    Field(examples=["support@example.com"]),
]


class IntakeView(View):
    """What became of something that came in: the ticket, or the kept request, and why."""

    outcome: Outcome
    ticket_id: UUID | None = None
    number: str | None = None
    request_id: UUID | None = None
    reason: str | None = None
    clause: str | None = None
    message: str | None = None


class MailView(View):
    """A mail that came in or went out."""

    mail_id: UUID
    message_id: str
    direction: str
    sender: str | None
    subject: str | None
    outcome: str
    reason: str | None
    clauses: list[str]
    ticket_id: UUID | None
    request_id: UUID | None
    received_at: datetime


class WholeMailView(MailView):
    """A mail with all of its text, what was cut from the ticket too."""

    text: str | None


class AddressCreate(Input):
    """A mail address of this desk. With a contract, mail to it is under that contract."""

    address: MailAddress
    contract_id: Reference | None = None


class AddressView(View):
    """A mail address of this desk."""

    address: str
    contract_id: UUID | None
    created_at: datetime


class ChoiceInput(Input):
    """A value looked up by what a template gives; without `values` it is taken as it is."""

    template: Template
    values: Annotated[dict[str, Fact | None], Field(max_length=500)] = Field(default_factory=dict)
    otherwise: Fact | None = None

    def choice(self) -> Choice:
        """Return it for the domain."""
        return Choice(template=self.template, values=self.values, otherwise=self.otherwise)


class MappingInput(Input):
    """How a system's JSON becomes requests; `GET /v1/hooks/presets` has examples to copy from.

    Templates hold paths in braces: `{a.b|c.0|'text'}` takes the first that is there, `{a?}` may be absent, `{a:plain}`
    is the text of HTML, `{$.a}` begins at the whole payload.
    """

    thread: Template
    subject: Template
    description: Template
    action: Annotated[list[ChoiceInput], Field(min_length=1, max_length=50)]
    items: Path | None = None
    match: Annotated[dict[Path, list[str]], Field(max_length=50)] = Field(default_factory=dict)
    text: Template | None = None
    contact_email: Template | None = None
    contact_name: Template | None = None
    occurred_at: Template | None = None
    contract: ChoiceInput | None = None
    channel: ChoiceInput | None = None
    facts: Annotated[dict[Name, ChoiceInput], Field(max_length=100)] = Field(default_factory=dict)

    def mapping(self) -> PostMapping:
        """Return it for the domain."""
        return PostMapping(
            thread=self.thread,
            subject=self.subject,
            description=self.description,
            action=[one.choice() for one in self.action],
            items=self.items,
            match=self.match,
            text=self.text,
            contact_email=self.contact_email,
            contact_name=self.contact_name,
            occurred_at=self.occurred_at,
            contract=self.contract.choice() if self.contract else None,
            channel=self.channel.choice() if self.channel else None,
            facts={name: one.choice() for name, one in self.facts.items()},
        )


class PresetView(View):
    """A mapping that comes with Plazo, and how that system signs."""

    kind: str
    scheme: str
    mapping: dict[str, Any]


Scheme = Literal["standard", "hub", "glpi", "bearer"]
Kind = Literal["custom", "alertmanager", "zammad", "glpi", "jira_service_management"]
Tolerance = Annotated[int, Field(ge=30, le=86_400)]


class HookCreate(Input):
    """A new hook. A preset brings its mapping and scheme; `mapping` replaces it, and a custom hook needs one."""

    name: Line
    kind: Kind = "custom"
    scheme: Scheme | None = None
    mapping: MappingInput | None = None
    contract_id: Reference | None = None
    tolerance_seconds: Tolerance = 300

    @model_validator(mode="after")
    def _need_mapping(self) -> Self:
        if self.kind == "custom" and self.mapping is None:
            raise ValueError("expected `mapping` for a hook of kind custom")
        return self


class HookChange(Input):
    """What shall be different about a hook."""

    name: Line | None = None
    mapping: MappingInput | None = None
    contract_id: Reference | None = None
    tolerance_seconds: Tolerance | None = None
    disabled: bool | None = None


class RotationCreate(Input):
    """A new secret; the one before it counts for `overlap_hours` more."""

    overlap_hours: Annotated[int, Field(ge=0, le=24 * 30)] = 24


class HookView(View):
    """A hook; its secret is shown when it is made or rotated, and never again."""

    hook_id: UUID
    name: str
    kind: str
    scheme: str
    mapping: dict[str, Any]
    contract_id: UUID | None
    tolerance_seconds: int
    path: str
    disabled_at: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class HookSecretView(HookView):
    """A hook with its new secret."""

    secret: str


class PostedItemView(IntakeView):
    """What became of one matter of a post, by what the other system calls it."""

    thread: str | None


class PostView(View):
    """What became of a post; `duplicate` where it came before, and then `items` are those of the first."""

    duplicate: bool
    items: list[PostedItemView]


class ImportedReply(Input):
    """Something said in another desk, by its people or the customer."""

    at: Instant
    by: Literal["customer", "desk"]
    text: Prose
    author: Line | None = None
    internal: bool = False


class ImportedTicket(Input):
    """A ticket of another desk: one JSON line, or one CSV row with these column names (`facts.NAME` for a fact).

    `reference` is what the other desk calls it; the same one twice is one ticket.
    """

    reference: Line
    subject: Subject
    description: Prose = "—"
    opened_at: Instant
    state: Literal["open", "resolved", "closed"] = "open"
    number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.#/-]{0,39}$")] | None = None
    contract_id: Reference | None = None
    contact_email: Email | None = None
    contact_name: Line | None = None
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser", "webhook", "api"] = "portal"
    language: Literal["es", "en"] | None = None
    acknowledged_at: Instant | None = None
    resolved_at: Instant | None = None
    resolution: Prose | None = None
    closed_at: Instant | None = None
    facts: Stated = Field(default_factory=dict)
    replies: Annotated[list[ImportedReply], Field(max_length=2000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _order_instants(self) -> Self:
        faults = []
        if self.state == "resolved" and self.resolved_at is None:
            faults.append("expected resolved_at for a resolved ticket")
        if self.state == "closed" and self.closed_at is None:
            faults.append("expected closed_at for a closed ticket")
        if any(
            later is not None and later < self.opened_at
            for later in (self.acknowledged_at, self.resolved_at, self.closed_at, *(one.at for one in self.replies))
        ):
            faults.append("expected every instant to be at or after opened_at")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class ImportView(View):
    """An import and how far it is; `known` are lines whose tickets were imported before."""

    import_id: UUID
    source: str
    state: Literal["running", "done"]
    total: int
    done: int
    created: int
    known: int
    refused: int
    started_by: str
    started_at: datetime


class LineFault(View):
    """One thing wrong with a line."""

    pointer: str
    message: str


class RefusedLineView(View):
    """A line that did not become a ticket, and all that is wrong with it."""

    line: int
    reference: str | None
    faults: list[LineFault]
    body: dict[str, Any] | None
