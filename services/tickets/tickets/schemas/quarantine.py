"""Requests that did not become tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.inputs import View


class KeptRequestView(View):
    """A request that did not become a ticket."""

    request_id: UUID
    outcome: str
    reason: str
    clauses: list[str]
    body: dict[str, Any]
    received_at: datetime
