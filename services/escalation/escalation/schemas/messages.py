"""Messages, what became of them, and what decides when they are sent."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictInt, StringConstraints

from escalation.schemas.words import Email, MessageState
from plazo.runtime.inputs import Input, Line, Prose, View

MessageName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300),
    Field(description="the id of a message, or the Message-ID that its e-mail had", examples=["<0198…@example.com>"]),
]


class MessageView(View):
    """Somebody told of something.

    `queued` waits to be sent (without `next_attempt_at` it is held back, to be told with others), `sent` was taken on
    by the receiving server, `delivered` lies in the mailbox, `digested` was told by the message `digest_id`, `failed`
    was refused for good, `dead` was given up.
    """

    message_id: UUID
    ticket_id: UUID | None
    customer_id: UUID | None
    escalation_id: UUID | None
    event: str
    template: str
    role: str
    channel: str
    to: str | None
    language: str
    subject: str
    body: str
    html: str | None = Field(description="the body as markup, where it is more than the text")
    note: str | None = Field(description="why the words are not the desk's own")
    clauses: tuple[str, ...]
    state: MessageState
    failure: str | None
    tries: int
    next_attempt_at: datetime | None
    queued_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    digest_id: UUID | None
    acknowledge_path: str | None = Field(
        default=None, description="the link in the message, where messages are captured and it asks to be acknowledged"
    )


class AttemptView(View):
    """One attempt to send a message. Without an `outcome` it was cut off, or is under way."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reply: str | None


class AttemptsView(View):
    """The attempts to send a message, oldest first."""

    items: list[AttemptView]


class Resend(Input):
    """Sends a message again, to another address if one is given."""

    to: Email | None = None


class Bounce(Input):
    """Says that a message came back, and why."""

    message_id: MessageName
    reason: Line


class Arrival(Input):
    """Says that a message is known to lie in its mailbox."""

    message_id: MessageName


class Reply(Input):
    """A reply to a message: from its addressee it acknowledges what the message told of."""

    sender: Email
    text: Prose | None = None


class AcknowledgementView(View):
    """What a message asks to be acknowledged. `open` counts what nobody has acknowledged yet."""

    message_id: UUID
    subject: str
    language: str
    escalations: list[UUID]
    open: int
    acknowledged_now: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class ChannelChange(Input):
    """Beyond `above` messages to one of the provider's people within `every`, the rest come together at its end."""

    every: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[smh]$"), Field(examples=["15m"])]
    above: Annotated[StrictInt, Field(ge=0, le=1000)]


class ChannelView(View):
    """What a channel does where a policy says nothing. `is_usual`: the desk has not changed it."""

    channel: str
    every: str
    above: int
    is_usual: bool
