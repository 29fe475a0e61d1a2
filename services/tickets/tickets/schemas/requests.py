"""Requests as people make them over HTTP, and what completes them."""

from typing import Annotated, Literal

from pydantic import Field

from plazo.runtime.inputs import Input, Line, Name, Prose
from tickets.schemas.words import Email, Reference, Stated, Subject

Parts = Annotated[dict[Name, Prose], Field(max_length=50)]
Checklist = Annotated[dict[Name, bool], Field(max_length=50)]


class TicketCreate(Input):
    """A request. `facts` are what the customer states, by the names that the contract's policy declares.

    Without a contract the fittest of the contact's customer is taken. `checklist` says which steps were tried before
    asking, `parts` are further parts of the description, by the policy's names. `purchase_order` is the number of an
    order, `about_ticket` that of an open ticket it is about.

    With a customer's key, `contact_email` names a person of that customer by a confirmed address; any other address is
    kept as what was said, and nobody is written to at it. With a person's key the request is that person's: what
    `contact_id`, `contact_name` and `contact_email` say of somebody else is refused.
    """

    contract_id: Reference | None = None
    subject: Subject
    description: Prose
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser", "webhook", "api"] = "api"
    contact_id: Reference | None = None
    contact_name: Line | None = None
    contact_email: Email | None = None
    language: Literal["es", "en"] | None = None
    facts: Stated = Field(default_factory=dict)
    checklist: Checklist = Field(default_factory=dict)
    parts: Parts = Field(default_factory=dict)
    purchase_order: Line | None = None
    about_ticket: Line | None = None


class AnswersCreate(Input):
    """What was missing: further parts of the description, steps that were tried since."""

    parts: Parts = Field(default_factory=dict)
    checklist: Checklist = Field(default_factory=dict)


class ConfirmationCreate(Input):
    """A contact that confirms the severity, and the facts as they were told then."""

    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser"] = "phone"
    facts: Stated = Field(default_factory=dict)
    text: Prose | None = None
