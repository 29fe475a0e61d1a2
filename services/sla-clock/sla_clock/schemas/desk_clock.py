"""The test clock of a sandbox desk, over HTTP."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from pydantic import model_validator

from plazo.calendar import TargetKind
from plazo.runtime.inputs import Input, Instant, View
from sla_clock.schemas.field import TargetText


class ClockMove(Input):
    """Where the clock of a sandbox desk shall go: `to` an instant, or on by `advance`, in elapsed time."""

    to: Instant | None = None
    advance: TargetText | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if (self.to is None) == (self.advance is None):
            raise ValueError("expected either `to`, an instant, or `advance`, such as 4h or 2 days")
        if self.advance is not None and self.advance.kind is TargetKind.BUSINESS_DAYS:
            raise ValueError("`advance` is elapsed time: expected such as 4h or 2 days, not business days")
        return self

    @property
    def length(self) -> timedelta:
        """How far `advance` goes."""
        return self.advance.length if self.advance else timedelta()


class DeskClock(View):
    """The present of a desk."""

    desk_id: UUID
    sandbox: bool
    clock_at: datetime


class ClockMoved(View):
    """Where the clock stands; `fired` counts the warnings, breaches and requested instants told on the way."""

    desk_id: UUID
    clock_at: datetime
    fired: int
