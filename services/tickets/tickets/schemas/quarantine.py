"""Requests that did not become tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.inputs import Input, Line, View
from tickets.schemas.words import Reference


class ReleaseCreate(Input):
    """What releasing a request takes: a contract where none was found, and whether its sender is authorized with it."""

    contract_id: Reference | None = None
    contact_id: Reference | None = None
    authorize: bool = False


class DismissalCreate(Input):
    """Why a request does not become a ticket for good."""

    reason: Line


class KeptRequestView(View):
    """A request that did not become a ticket: why, by which clauses, and what became of it.

    `body` is the request as it was understood, `original` what arrived.
    """

    request_id: UUID
    outcome: str
    state: str
    reason: str
    note: dict[str, str]
    clauses: list[str]
    channel: str
    sender: str | None
    customer_id: UUID | None
    contact_id: UUID | None
    body: dict[str, Any]
    original: dict[str, Any]
    received_at: datetime
    ticket_id: UUID | None
    settled_by: str | None
    settled_for: str | None
    settled_at: datetime | None
