"""What billing keeps of contracts and tickets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from billing.domain.accounts import Kind, Unit
from plazo.policy.agreed import AgreedTerms

FactValue = bool | int | str
Admission = Literal["not_required", "granted", "withheld"]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract; its dates are those of its policy's zone, ends are exclusive.

    `agreed` is the JSON of the terms agreed in it, which go before the policy's.
    """

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    arrangement: str
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    agreed: Mapping[str, Any] | None = None

    @property
    def agreed_terms(self) -> AgreedTerms | None:
        """The terms agreed in the contract."""
        return AgreedTerms.model_validate(self.agreed) if self.agreed is not None else None

    def facts(self) -> dict[str, FactValue]:
        """Return what rules may ask of the contract itself."""
        facts: dict[str, FactValue] = {"arrangement": self.arrangement}
        return facts if self.plan is None else facts | {"plan": self.plan}


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket. `admitted_at` is the opening, or the release of a hold.

    `agreed` are the contract's own terms as they were at the opening: the ticket keeps them.
    """

    ticket_id: UUID
    number: str
    customer_id: UUID
    contract_id: UUID | None
    policy: str
    policy_version: str
    facts: Mapping[str, FactValue]
    opened_at: datetime
    closed_at: datetime | None
    admission: Admission
    admitted_at: datetime | None
    held_for: str | None
    held_clauses: tuple[str, ...]
    agreed: Mapping[str, Any] | None = None

    @property
    def agreed_terms(self) -> AgreedTerms | None:
        """The terms agreed in the contract when the ticket was opened."""
        return AgreedTerms.model_validate(self.agreed) if self.agreed is not None else None


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a contract and what it holds now."""

    account_id: UUID
    contract_id: UUID
    name: str
    kind: Kind
    unit: Unit
    counted_in: str
    unit_minutes: int
    lower_limit: int | None
    balance: int = 0
