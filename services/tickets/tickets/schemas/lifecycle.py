"""What happens to a ticket."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, Prose, View
from tickets.schemas.words import Reference, Stated, Subject

Channel = Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser"]
Cause = Literal["customer", "vendor", "agreed_window"]
AttemptChannel = Literal["email", "portal", "phone", "chat", "video"]
AttemptResult = Literal["no_answer", "left_message", "sent", "reached"]
LinkKind = Literal["related", "additional_request", "duplicate_of", "caused_by", "continues"]


class FactsChange(Input):
    """Stated facts to change; null withdraws one. What depends on them is decided again."""

    facts: Annotated[dict[Name, Fact | None], Field(min_length=1, max_length=100)]


class AcknowledgementCreate(Input):
    """Somebody takes the ticket; with a `channel`, its receipt was confirmed to the customer by it."""

    channel: Channel | None = None


class ReplyCreate(Input):
    """Something said. From the desk's people an `internal` one is a note that the customer never sees."""

    text: Prose
    channel: Channel = "email"
    internal: bool = False


class WaitCreate(Input):
    """A wait to begin; it ends by itself at `until`, if there is one."""

    cause: Cause
    reason: Line
    until: Instant | None = None


class AttemptCreate(Input):
    """An attempt to reach the customer. `closes_at` is the closing it was told of, should it not answer."""

    channel: AttemptChannel
    result: AttemptResult
    text: Prose | None = None
    closes_at: Instant | None = None


class AttemptView(View):
    """An attempt. `attempt` counts those of a round that count; `not_counted_for` says why one does not."""

    attempt_id: UUID
    round: int
    made_at: datetime
    made_by: str
    channel: str
    result: str
    text: str | None
    attempt: int | None
    not_counted_for: str | None
    closes_at: datetime | None


class DateCreate(Input):
    """The date by which the work shall be done."""

    due_at: Instant


class ResolutionCreate(Input):
    """How it was resolved; `kind` is one that the policy names."""

    kind: Name = "fix"
    text: Prose


class ReopeningCreate(Input):
    """Why it is not solved. Another cause than before makes it a new request, linked to this one.

    `purchase_order` is the number of an order for that.
    """

    reason: Line
    same_cause: bool = True
    purchase_order: Line | None = None


class ClosingCreate(Input):
    """Why it is over: the customer confirms, withdraws the request, or does not answer any more.

    Staff says by `confirmed_by` who confirmed, and by which channel.
    """

    reason: Literal["confirmed", "withdrawn", "abandoned"]
    confirmed_by: Line | None = None
    channel: Channel | None = None


class AppointmentCreate(Input):
    """An appointment. With `wait` the ticket waits for it, as an agreed window."""

    starts_at: Instant
    ends_at: Instant
    place: Literal["remote", "on_site"] = "remote"
    attendee: Line | None = None
    wait: bool = False


class CancellationCreate(Input):
    """Who cancels, and why. A requester cancels for the customer."""

    by: Literal["customer", "desk"] = "desk"
    reason: Line | None = None


class AppointmentView(View):
    """An appointment, and what became of it; `late` is known of one that was cancelled."""

    appointment_id: UUID
    ticket_id: UUID
    starts_at: datetime
    ends_at: datetime
    place: str
    attendee: str | None
    state: str
    scheduled_at: datetime
    settled_at: datetime | None
    late: bool | None
    reason: str | None


class LinkCreate(Input):
    """What the ticket has to do with another one: it is `kind` of it."""

    ticket: Reference
    kind: LinkKind = "related"


class LinkView(View):
    """A ticket that one is linked with. `direction` is `out` where this one is `kind` of the other."""

    kind: str
    direction: Literal["out", "in"]
    ticket_id: UUID
    number: str
    subject: str
    state: str
    linked_at: datetime


class MergeCreate(Input):
    """The ticket that this one goes on in: one of the same customer that is not closed."""

    into: Reference
    reason: Line | None = None


class PartCreate(Input):
    """A part of a ticket that becomes one of its own; its clocks count `since` an instant, the present unless given."""

    subject: Subject
    description: Prose
    facts: Stated = Field(default_factory=dict)
    since: Instant | None = None


class AdditionalRequestCreate(Input):
    """A further request of the same customer under the same contract; `purchase_order` is the number of an order."""

    subject: Subject
    description: Prose
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser", "api"] = "api"
    facts: Stated = Field(default_factory=dict)
    purchase_order: Line | None = None
    kind: Literal["additional_request", "continues"] = "additional_request"


class VendorReferenceCreate(Input):
    """What a vendor knows the request by."""

    vendor: Line
    reference: Line


class VendorAnswerCreate(Input):
    """What the vendor answered; `vendor` is needed where there are several."""

    text: Prose
    vendor: Line | None = None


class VendorReleaseCreate(Input):
    """The version in which what was asked for is available."""

    version: Line
    text: Prose | None = None
    vendor: Line | None = None


class VendorReferenceView(View):
    """A vendor that the request was passed to."""

    vendor: str
    reference: str
    referred_at: datetime
    answer: str | None
    answered_at: datetime | None
    released_version: str | None
    released_at: datetime | None


class TickCreate(Input):
    """How a step of the playbook went."""

    result: Literal["done", "solved", "not_solved"]
    text: Prose | None = None


class StepView(View):
    """A step of a playbook; `result` is null until it was taken."""

    name: str
    text: dict[str, str]
    result: str | None = None
    note: str | None = None
    ticked_by: str | None = None
    ticked_at: datetime | None = None


class PlaybookView(View):
    """The document of possible solutions that a ticket follows."""

    name: str
    clauses: list[str]
    state: Literal["open", "solved", "exhausted"]
    steps: list[StepView]


class AssessmentCreate(Input):
    """Whether it can be solved, by when, what information is missing for that, or what is designed instead."""

    solvable: bool
    due_at: Instant | None = None
    missing_information: Prose | None = None
    design: Prose | None = None


class AssessmentView(View):
    """An assessment."""

    assessment_id: UUID
    assessed_at: datetime
    assessed_by: str
    level: int
    solvable: bool
    due_at: datetime | None
    missing_information: str | None
    design: str | None
