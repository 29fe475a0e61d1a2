"""What `tickets` announces about a ticket's dossier: its attachments, and the erasure of a person from it."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from plazo.events.envelope import Event


class _DossierEvent(Event):
    producer: ClassVar[str] = "tickets"


class AttachmentAdded(_DossierEvent):
    """A file was attached. Aggregate: the ticket. Its content is not announced.

    `media_type` is what the sender said it is; `is_suspect` says that its first bytes say otherwise.
    """

    name: ClassVar[str] = "ticket.attachment_added"

    attachment_id: UUID
    file_name: str
    size: int
    sha256: str
    media_type: str
    is_suspect: bool
    internal: bool
    by: str


class ContactErased(_DossierEvent):
    """A person asked to be forgotten. Aggregate: the contact. Whoever keeps names or addresses of it erases them.

    `tickets` are those it was the contact of, `requests` those that it was kept with. `known_by` are the marks of its
    name and addresses (:mod:`plazo.kernel.forgetting`), to find them in other texts. `announced` says by aggregate how
    many events of `tickets` there were as the person was taken out of them: what they said comes before this.
    """

    name: ClassVar[str] = "contact.erased"

    contact_id: UUID
    customer_id: UUID
    tickets: tuple[UUID, ...]
    requests: tuple[UUID, ...] = ()
    known_by: tuple[str, ...] = ()
    announced: dict[UUID, int] = Field(default_factory=dict)


EVENTS: tuple[type[Event], ...] = (AttachmentAdded, ContactErased)
