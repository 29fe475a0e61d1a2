"""A look ahead at a ticket that does not exist, over HTTP."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, View


class PreviewInput(Input):
    """A ticket that might be opened, under a published policy or the text of one."""

    policy: Name | None = None
    version: Annotated[Line, StringConstraints(max_length=32)] | None = None
    document: Annotated[str, StringConstraints(min_length=1, max_length=1_048_576)] | None = None
    facts: dict[Name, Fact] = Field(default_factory=dict, max_length=100)
    opened_at: Instant
    customer_timezone: Annotated[str, StringConstraints(max_length=64)] | None = None
    customer_region: Name | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if (self.policy is None) == (self.document is None):
            raise ValueError("expected either `policy`, the name of a published one, or `document`, the text of one")
        return self


class PreviewDeadline(View):
    """One promise that would be made."""

    kind: str
    due_at: datetime | None
    target: str | None
    calendar: str | None
    commitment: str
    clauses: tuple[str, ...]
    source: str
    warnings: dict[str, datetime]


class PreviewStep(View):
    """A step that escalation would take if nothing happened, and when."""

    trigger: str
    kind: str
    step: int
    at: datetime
    to_level: int | None
    notify: tuple[str, ...]
    clauses: tuple[str, ...]


class PreviewCharge(View):
    """The least that work on it would cost, as the policy words it."""

    charge: bool
    reason: str | None
    minimum: str | None
    clauses: tuple[str, ...]


class Preview(View):
    """Every deadline, escalation and the minimum charge, before a ticket exists."""

    policy: str
    version: str
    covered: bool
    coverage_clauses: tuple[str, ...]
    deadlines: list[PreviewDeadline]
    escalations: list[PreviewStep]
    minimum_charge: PreviewCharge | None
