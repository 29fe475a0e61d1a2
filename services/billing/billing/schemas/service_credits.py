"""Service credits."""

from datetime import datetime
from uuid import UUID

from plazo.runtime.inputs import View


class ServiceCreditView(View):
    """A breached guarantee, and what is owed for it now. `reason` says why nothing, or not all, is."""

    credit_id: UUID
    ticket_id: UUID
    number: str
    contract_id: UUID
    kind: str
    month: str
    breached_at: datetime
    retracted_at: datetime | None
    percent: int
    counted_in: str
    amount: int
    reason: str | None
    clauses: list[str]
    explanation: dict[str, str]
