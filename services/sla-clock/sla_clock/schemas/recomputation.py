"""Recomputations, over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from plazo.runtime.inputs import Input, Line, Name, View
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import Announced
from sla_clock.schemas.field import Identifier

MOST_TICKETS = 10_000

Version = Annotated[Line, StringConstraints(max_length=32)]


class RecomputationInput(Input):
    """Count open tickets of a policy by its version `to_version`: those under `from_version`, those named, or all."""

    policy: Name
    from_version: Version | None = None
    to_version: Version
    tickets: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_TICKETS)] | None = None
    reason: Line
    dry_run: bool = False

    @model_validator(mode="after")
    def _change_something(self) -> Self:
        if self.from_version == self.to_version:
            raise ValueError("expected another `to_version` than `from_version`")
        return self


class Standing(View):
    """How a clock stands, and by which version of the policy."""

    state: str
    due_at: datetime | None
    target: str | None
    calendar: str | None
    clauses: tuple[str, ...]
    policy_version: str

    @classmethod
    def of(cls, clock: Clock | None) -> Self | None:
        """Show how a clock stands, if there is one."""
        if clock is None:
            return None
        return cls(
            state=clock.state,
            due_at=clock.due_at,
            target=clock.promise.target,
            calendar=clock.promise.calendar,
            clauses=clock.promise.clauses,
            policy_version=clock.terms.policy.version,
        )

    @classmethod
    def announced(cls, before: Announced | None, *, policy_version: str) -> Self | None:
        """Show how a clock stood as it was last announced, if there was one."""
        if before is None:
            return None
        clock = before.clock
        return cls(
            state=clock.state,
            due_at=clock.due_at,
            target=clock.target,
            calendar=clock.calendar,
            clauses=clock.clauses,
            policy_version=policy_version,
        )


class ClockChange(View):
    """A clock that is owed, before and after; null where nothing is promised."""

    clock_id: UUID
    ticket_id: UUID
    number: str
    kind: str
    cycle: int
    before: Standing | None
    after: Standing | None
    changed: bool

    @classmethod
    def read(cls, kept: Any) -> Self:
        """Read what was kept as JSON."""
        return cls.model_validate(kept)


class DryRun(View):
    """What a recomputation of `total` tickets would do, for some of them; `seen` is the last ticket looked at."""

    total: int
    items: list[ClockChange]
    seen: UUID | None


class DryRunPage(View):
    """What a recomputation of `total` tickets would do: the owed clocks of some of them. Nothing was changed."""

    dry_run: Literal[True] = True
    total: int = Field(description="tickets that would be recomputed")
    items: list[ClockChange]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next tickets; null on the last page")


class RecomputationView(View):
    """A recomputation and how far it has come, in tickets."""

    recomputation_id: UUID
    policy: str
    from_version: str | None
    to_version: str
    reason: str
    requested_by: str
    requested_at: datetime
    state: Literal["running", "done", "undoing", "undone"]
    total: int = Field(description="tickets named so far")
    is_named: bool = Field(description="whether all tickets have been named; until then the total grows")
    done: int
    changed: int = Field(description="tickets with a clock that stands otherwise than before")
    skipped: int = Field(description="closed, or recomputed otherwise, by the time it was their turn")
    kept: int = Field(description="not undone: closed, or recomputed otherwise, since")
    failed: int = Field(description="could not be recomputed; the error is in the log")
    finished_at: datetime | None
