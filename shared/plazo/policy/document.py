"""The policy document: a written support contract as data."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from plazo.policy.charging import Billing
from plazo.policy.handling import Channel, ChannelName, Escalation, NotificationRule, Routing, Template
from plazo.policy.intake import DeclaredFact, Grade, GradeRule, Intake
from plazo.policy.promises import (
    Availability,
    Compliance,
    CoverageRule,
    Lifecycle,
    PauseRule,
    StopRule,
    TargetRule,
)
from plazo.policy.rules import (
    Clausal,
    Clauses,
    Day,
    Flag,
    Line,
    Name,
    Reading,
    ReadingOrName,
    Role,
    Section,
    Text,
    Zone,
)

#: Says that a calendar takes its zone or its holidays from the customer.
CUSTOMER = "customer"

Windows = tuple[str, ...]


class LayerRef(Section):
    """The holidays of a layer under `holidays`; `customer` is the layer of the customer's region."""

    layer: Name


class NamedDay(Section):
    """One holiday of the calendar's own."""

    date: Day
    name: Line | None = None
    source: Line | None = None


def _kind_of_holiday(value: object) -> str:
    if isinstance(value, LayerRef) or (isinstance(value, dict) and "layer" in value):
        return "layer"
    return "named" if isinstance(value, dict | NamedDay) else "date"


Holiday = Annotated[
    Annotated[Day, Tag("date")] | Annotated[LayerRef, Tag("layer")] | Annotated[NamedDay, Tag("named")],
    Discriminator(_kind_of_holiday),
]


class CalendarVersion(Section):
    """The hours in force from a local date on. A day listed in `days` has those windows instead of its own."""

    hours: Literal["24x7"] | dict[str, Windows] | None = None
    holidays: tuple[Holiday, ...] = ()
    days: dict[Day, Windows] = Field(default_factory=dict)
    effective_from: Day | None = None


class CalendarEntry(CalendarVersion):
    """A named calendar: its hours, several versions of them, or (`use`) those of another calendar.

    Without a `timezone` it has the document's; `customer` is that of each customer. EXP-16
    """

    timezone: Zone | Literal["customer"] | None = None
    use: Name | None = None
    versions: tuple[CalendarVersion, ...] = ()
    clause: Clauses | None = None
    reading: ReadingOrName = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if self.use is not None and (self.hours or self.versions):
            raise ValueError("expected `use` alone, or `hours`, or `versions`: a calendar has its hours from one place")
        return self


class HolidayDates(Section):
    """Public holidays as they were when written down: never looked up when a clock runs."""

    source: Line
    dates: dict[Day, Line]


class Provider(Section):
    """Who makes the promises."""

    name: Line
    address: Line | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")] | None = None


class Plan(Section):
    """A level of service that can be bought."""

    text: Text
    clause: Clauses


class Acceptance(Clausal):
    """Something the customer accepts with the contract, recorded with it. SMA-20"""

    name: Name
    text: Text


class Precedence(Clausal):
    """Which document speaks first where two do. SKE-12"""

    order: Annotated[tuple[Literal["contract", "policy", "defaults"], ...], Field(min_length=1)]


class Contract(Clausal):
    """What a contract under this policy states, and whom it binds."""

    scope: Literal["customer", "account"] = "customer"
    arrangements: tuple[Name, ...] = ()
    states: tuple[Name, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    precedence: Precedence | None = None


class Revision(Clausal):
    """How a new version takes effect: who is told, and whether open tickets keep theirs. PRO-01"""

    notify: tuple[Role, ...] = ()
    template: Name | None = None
    open_tickets_keep_version: Flag = True


class Numbering(Clausal):
    """How ticket numbers begin: EXP-1042. EXP-07"""

    prefix: Annotated[str, Field(pattern=r"^[A-Z]{1,8}$")]


class Policy(Section):
    """A support contract as a document. Lists of rules are ordered: the first whose conditions hold decides."""

    policy: Name
    version: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^\S+$")]
    effective_from: Day
    timezone: Zone
    language: Literal["es", "en"] = "es"
    provider: Provider
    clauses: Annotated[str, Field(pattern=r"^[A-Z]{2,8}$")]
    readings: dict[Name, Reading] = Field(default_factory=dict)
    numbering: Numbering | None = None
    revision: Revision | None = None
    contract: Contract | None = None
    calendars: dict[Name, CalendarEntry]
    holidays: dict[Name, HolidayDates] = Field(default_factory=dict)
    plans: dict[Name, Plan] = Field(default_factory=dict)
    facts: dict[Name, DeclaredFact] = Field(default_factory=dict)
    severities: tuple[Grade, ...] = ()
    severity: tuple[GradeRule, ...] = ()
    priorities: tuple[Grade, ...] = ()
    priority: tuple[GradeRule, ...] = ()
    intake: Intake = Field(default_factory=Intake)
    coverage: tuple[CoverageRule, ...] = ()
    targets: tuple[TargetRule, ...] = ()
    stops: tuple[StopRule, ...] = ()
    pauses: tuple[PauseRule, ...] = ()
    availability: Availability | None = None
    lifecycle: Lifecycle | None = None
    routing: Routing = Field(default_factory=Routing)
    escalation: Escalation = Field(default_factory=Escalation)
    billing: Billing = Field(default_factory=Billing)
    templates: dict[Name, Template] = Field(default_factory=dict)
    notifications: tuple[NotificationRule, ...] = ()
    channels: dict[ChannelName, Channel] = Field(default_factory=dict)
    compliance: Compliance | None = None
