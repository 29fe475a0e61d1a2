"""Attachments, secrets, saved views, and where each timeline's chain ends."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, Text
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column
from tickets.models.base import TicketsTable


class TimelineHead(TicketsTable, table=True):
    """The last entry of a ticket's timeline; its row lock gives the entries their order."""

    __tablename__ = "timeline_head"

    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    position: int = Field(sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)


class Attachment(TicketsTable, table=True):
    """A file of a ticket. Its content is in the object store under `object_key`, until it is erased.

    `declared_type` is what the sender said it is, `found_type` what its first bytes say; `is_suspect` if they differ.
    """

    __tablename__ = "attachment"
    __table_args__ = (Index(None, "ticket_id", "added_at", "attachment_id"),)

    attachment_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    object_key: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    sha256: str = Field(sa_type=Text)
    declared_type: str = Field(sa_type=Text)
    found_type: str | None = Field(sa_type=Text)
    is_suspect: bool
    internal: bool
    from_customer: bool
    contact_id: UUID | None
    added_by: str = Field(sa_type=Text)
    added_at: datetime = instant()
    erased_at: datetime | None = instant(nullable=True)


class UnneededObject(TicketsTable, table=True):
    """An object in the store that no attachment needs, or not yet: it is removed after `remove_after`."""

    __tablename__ = "unneeded_object"
    __table_args__ = (Index(None, "remove_after"),)

    object_key: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    remove_after: datetime = instant()


class TicketSecret(TicketsTable, table=True):
    """A credential of the customer, encrypted until it is shown or the ticket is closed.

    `mark` is a keyed fingerprint of a value of `length` characters, to know it where it is repeated, `trace` a keyed
    rolling hash of it, to look for the mark at few places. It is taken out of what the customer writes, and of what
    the desk writes if it `covers_desk`; null, from before there was a difference, stands for yes.
    """

    __tablename__ = "ticket_secret"
    __table_args__ = (Index(None, "ticket_id", "added_at"),)

    secret_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    label: str = Field(sa_type=Text)
    key_id: str | None = Field(sa_type=Text)
    nonce: bytes | None = Field(sa_type=LargeBinary)
    ciphertext: bytes | None = Field(sa_type=LargeBinary)
    mark: bytes | None = Field(sa_type=LargeBinary)
    length: int | None
    trace: int | None
    covers_desk: bool | None
    added_by: str = Field(sa_type=Text)
    added_at: datetime = instant()
    revealed_at: datetime | None = instant(nullable=True)
    revealed_to: str | None = Field(sa_type=Text)
    erased_at: datetime | None = instant(nullable=True)


class SavedView(TicketsTable, table=True):
    """A filter of the ticket list under a name."""

    __tablename__ = "saved_view"
    __table_args__ = (Index(None, "desk_id", "name", unique=True),)

    view_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    filter: dict[str, Any] = json_column()
    made_by: str = Field(sa_type=Text)
    made_at: datetime = instant()
