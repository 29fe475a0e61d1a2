"""Outages and availability, over HTTP."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from plazo.runtime.inputs import Input, Instant, Line, Name, View
from sla_clock.schemas.field import Identifier

MOST_ALERTS = 1_000
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


def _read_percent(value: Any) -> Decimal:
    text = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if isinstance(text, str) and _PERCENT.fullmatch(text) and 0 < Decimal(text) <= 100:
        return Decimal(text)
    raise ValueError('expected a percentage over 0 and up to 100, with at most four digits, such as "99.95"')


def _read_month(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(f"{value}-01") if len(value) == 7 else date.fromisoformat("")
    except (TypeError, ValueError):
        raise ValueError("expected a month such as 2026-05") from None


Percent = Annotated[
    Decimal, BeforeValidator(_read_percent), WithJsonSchema({"type": ["string", "number"], "examples": ["99.95"]})
]
Month = Annotated[
    date, BeforeValidator(_read_month), WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"})
]


class OutageInput(Input):
    """An outage of a contract, of a component of it, or of a component that contracts share.

    Without `started_at` it begins now. `planned` maintenance may lie ahead, with its end.
    """

    contract_id: Identifier | None = None
    component: Name | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    cause: Name | None = None
    planned: bool = False
    summary: Line | None = None

    @model_validator(mode="after")
    def _name_a_place(self) -> Self:
        if self.contract_id is None and self.component is None:
            raise ValueError("expected `contract_id` or `component`: what is out of service")
        if self.started_at and self.ended_at and self.ended_at < self.started_at:
            raise ValueError("the outage ends before it starts: expected `ended_at` at or after `started_at`")
        return self


class OutageClose(Input):
    """The end of an outage, now unless told; its cause if that is known by now."""

    ended_at: Instant | None = None
    cause: Name | None = None


class OutageChange(Input):
    """What was found out about an outage; what is not given stays."""

    cause: Name | None = None
    planned: bool | None = None
    summary: Line | None = None


class OutageView(View):
    """A stretch of time out of service; `ended_at` is null while it lasts."""

    outage_id: UUID
    contract_id: UUID | None
    component: str | None
    cause: str | None
    planned: bool
    summary: str | None
    started_at: datetime
    ended_at: datetime | None
    reported_by: str
    recorded_at: datetime
    revision: int


class Alert(BaseModel):
    """An alert as Alertmanager sends it. Its labels say what is out of service: `contract_id`, `component`.

    The labels `cause` and `planned` (`true`) and the annotation `summary` are kept too.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    started_at: Instant = Field(alias="startsAt")
    ended_at: str | None = Field(default=None, alias="endsAt", description="read if the alert is resolved")
    fingerprint: Annotated[Line, StringConstraints(max_length=200)]


class AlertGroup(BaseModel):
    """What Alertmanager posts to a webhook (version 4); what is not named here is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str = "4"
    alerts: Annotated[list[Any], Field(min_length=1, max_length=MOST_ALERTS)]


class AlertOutcome(View):
    """What became of an alert: an outage was `opened` or `closed`, was `known` already, or the alert is `refused`."""

    fingerprint: str | None
    outcome: Literal["opened", "closed", "known", "refused"]
    outage_id: UUID | None = None
    problem: str | None = None


class AlertOutcomes(View):
    """What became of each alert, in order."""

    items: list[AlertOutcome]


class AgreementInput(Input):
    """The availability agreed for a contract or a component of it, from the month `since` on.

    Without `since` it holds from the month in which the contract begins.
    """

    contract_id: Identifier
    component: Name | None = None
    agreed_percent: Percent
    since: Month | None = None


class AgreementView(View):
    """The availability agreed from a month on."""

    contract_id: UUID
    component: str | None
    agreed_percent: str
    since: str
    agreed_by: str
    agreed_at: datetime


class ConsideredOutage(OutageView):
    """An outage within the month: the seconds of service it took there, and why they do not count, if so."""

    seconds: int | float
    excluded: str | None = Field(description="null where it counts; `planned`, or the cause that the policy excludes")


class AvailabilityView(View):
    """The availability of a contract, or of a component of it, in a month of the policy's zone.

    `percentage` is `up_seconds` of `total_seconds`, rounded down to four digits; `met` compares the exact quotient.
    """

    contract_id: UUID
    component: str | None
    month: str
    timezone: str
    start: datetime = Field(serialization_alias="from")
    until: datetime = Field(description="the end of the month, or now if that is earlier")
    complete: bool = Field(description="whether the month is over")
    policy: str
    policy_version: str
    calendar: str
    clauses: tuple[str, ...]
    denominator: str
    total_seconds: int | float
    up_seconds: int | float
    down_seconds: int | float
    excluded_seconds: int | float = Field(description="planned, or of an excluded cause; not down")
    percentage: str | None
    agreed_percent: str | None
    met: bool | None
    outages: list[ConsideredOutage]
