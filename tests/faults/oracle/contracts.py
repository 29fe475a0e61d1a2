"""The contracts as the oracle reads them: hours, promises, pauses, who is told; written down anew from the clauses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from faults.oracle.hours import Hours, Span

Facts = Mapping[str, Any]

_MON_FRI = range(5)
_WEEK = range(7)
_DAY = (0, 1440)


def _days(*texts: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(f"2026-{text}") for text in texts)


_PERU = _days(
    "04-02", "04-03", "05-01", "06-07", "06-29", "07-23", "07-28", "07-29", "08-06", "08-30", "10-08", "11-01", "12-08"
)
_MADRID = _days("05-01", "05-02", "05-15", "10-12", "11-02", "11-09", "12-07", "12-08")
_VALENCIA = _days("05-01", "06-24", "08-15", "10-09", "10-12", "12-08")
_CHILE = _days(
    "05-01", "05-21", "06-21", "06-29", "07-16", "08-15", "09-18", "09-19", "10-12", "10-31", "11-01", "12-08"
)

_LIMA, _SPAIN, _CLT = ZoneInfo("America/Lima"), ZoneInfo("Europe/Madrid"), timezone(timedelta(hours=-4))


def _clock(hours: str) -> tuple[int, int]:
    opens, closes = hours.split("-")
    return int(opens[:2]) * 60 + int(opens[3:]), int(closes[:2]) * 60 + int(closes[3:])


def _daily(days: Sequence[int], *hours: str) -> dict[int, Sequence[tuple[int, int]]]:
    return {day: [_clock(one) for one in hours] for day in days}


ALWAYS = Hours(UTC, dict.fromkeys(_WEEK, (_DAY,)))
HOURS: Mapping[str, Hours] = {
    "always": ALWAYS,
    "prodequa:business_days": Hours(_LIMA, dict.fromkeys(_MON_FRI, (_DAY,)), _PERU),
    "prodequa:service": Hours(_LIMA, _daily(_MON_FRI, "08:00-12:00", "14:00-18:00"), _PERU),
    "ireo:standard": Hours(_SPAIN, {**_daily(range(4), "09:00-17:30"), **_daily([4], "09:00-14:00")}, _MADRID),
    "ireo:plus": Hours(_SPAIN, _daily(_MON_FRI, "09:00-20:00"), _MADRID),
    "skedu:service": Hours(_CLT, _daily(_MON_FRI, "09:00-18:00"), _CHILE),
    "expande:spanish": Hours(_SPAIN, _daily(_MON_FRI, "08:00-17:00"), _VALENCIA),
    "expande:level_3": Hours(_SPAIN, {**_daily(range(4), "09:30-19:00"), **_daily([4], "09:30-15:00")}, _VALENCIA),
    "expande:sales": Hours(_SPAIN, _daily(_WEEK, "10:00-24:00")),
    "expande:customer": Hours(_SPAIN, _daily(_MON_FRI, "09:30-18:00")),
}


@dataclass(frozen=True, slots=True)
class Promise:
    """So much time in some hours. `rule` tells one provision from another; `until` is an agreed date instead."""

    rule: str
    hours: str = "always"
    length: timedelta = timedelta(0)
    business_days: int = 0
    warn: tuple[str, ...] = ()
    until: datetime | None = None

    def total(self, start: datetime) -> timedelta:
        """Return how much open time it is from an instant."""
        if self.until is not None:
            return max(timedelta(0), self.until - start)
        if self.business_days:
            hours = HOURS[self.hours]
            return hours.between(start, hours.end_of_business_day(start, self.business_days))
        return self.length

    def after(self, start: datetime, length: timedelta, left_out: Sequence[Span]) -> datetime:
        """Return when so much of its time has passed."""
        return HOURS[self.hours].after(start, length, left_out)

    def threshold(self, warning: str, total: timedelta) -> timedelta:
        """Return how much of the whole a warning stands for."""
        if warning.endswith("%"):
            micros = (total // timedelta(microseconds=1)) * int(warning[:-1]) // 100
            return timedelta(microseconds=micros)
        return max(timedelta(0), total - timedelta(hours=int(warning.removesuffix("h before"))))


def _h(hours: float) -> timedelta:
    return timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step of an escalation: after how long, in which hours; whom it tells, to which level it moves."""

    after: timedelta = timedelta(0)
    hours: str = "always"
    notify: tuple[str, ...] = ()
    to_level: int | None = None
    to_role: str | None = None
    times: int = 1
    repeat: timedelta = timedelta(0)
    template: str = "step"


class Contract:
    """What one policy says. A subclass for each."""

    policy = ""
    provider = ""
    gates = False
    first_team = "support"
    agents: Mapping[str, str] = {}
    roles: Mapping[str, str] = {}
    teams_at_level: Mapping[int, str] = {}
    team_addresses: Mapping[str, str] = {}
    receipt: str | None = None
    decisions: tuple[str, ...] = ()
    pauses: Mapping[str, tuple[str, ...]] = {}
    attempts: int = 0
    states_wait: bool = False
    closes_itself: bool = False
    charges_absence: bool = False
    assessed_level: int | None = None  # where nothing is resolved before an expert has assessed it

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """Return severity and priority."""
        raise NotImplementedError

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """Return what is promised."""
        raise NotImplementedError

    def is_paused(self, kind: str, cause: str, level: int) -> bool:
        """Whether a wait stops a clock."""
        return kind in self.pauses.get(cause, ())

    def stops(self, kind: str, activity: str) -> bool:
        """Whether a contact with the customer keeps a promise."""
        if kind == "acknowledgement":
            return activity == "receipt"
        return kind == "first_response" and activity in ("reply", "call")

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """Return what a trigger sets off; a broken promise never passes in silence."""
        return (StepPlan(notify=("assignee", "team_lead")),) if trigger == "breach" else ()

    def address(self, role: str, team: str, customer: str, holder: str | None) -> str:
        """Return who stands behind a role; `holder` has the ticket."""
        if role in ("requester", "customer_administrator"):
            return customer
        found = holder if role in ("assignee", "consultant") else self.roles.get(role)
        return found or self.team_addresses.get(team) or self.provider

    def opened(self, facts: Facts) -> list[tuple[str, str]]:
        """Return what is told at an opening: event and template."""
        return [("ticket.opened", self.receipt)] if self.receipt else []

    def closes_after(self, at: datetime) -> datetime:
        """Return when the wait after an attempt is over."""
        return at

    def counts_attempt(self, at: datetime) -> bool:
        """Whether an attempt on this day counts."""
        return True

    def team(self, facts: Facts) -> str:
        """Return the team that a ticket goes to first."""
        return self.first_team

    def remarks(self, facts: Facts, channel: str) -> list[str]:
        """Return what the dossier remarks at an opening, beside the decisions."""
        return []

    def attempted(self) -> list[tuple[str, str]]:
        """Return what is told of an attempt that counts."""
        return []

    def closed(self) -> list[tuple[str, str]]:
        """Return what is told of a closing."""
        return []

    def agreed(self, until: datetime) -> Promise:
        """Return the promise that an agreed date is."""
        return Promise("agreed", until=until)


class SmartCloud(Contract):
    """Caracas: around the clock, against credit."""

    policy, provider, gates = "smartcloud", "servicedesk@smartcloud.example.com", True
    receipt = "receipt"
    attempts = 2
    charges_absence = True  # SMA-19

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """SMA-08"""
        return None, {"material": "P1", "important": "P2", "moderate": "P3", "slight": "P4"}.get(
            facts.get("business_impact", ""), "agreed"
        )

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """SMA-10"""
        rule, first, whole, warn = {
            "P1": ("1", 4, 24, ("50%", "80%")),
            "P2": ("2", 24, 48, ("80%",)),
            "P3": ("3", 48, 72, ("80%",)),
            "P4": ("3", 48, 72, ("80%",)),
        }[self.grades(facts, plan)[1] or ""]
        length = {"first_response": first, "resolution": whole}.get(kind)
        return None if length is None else Promise(rule, length=_h(length), warn=warn)

    def remarks(self, facts: Facts, channel: str) -> list[str]:
        """SMA-04"""
        return ["incomplete"]

    def opened(self, facts: Facts) -> list[tuple[str, str]]:
        """SMA-04, SMA-05: what the request lacks is asked for."""
        return [("ticket.opened", "receipt"), ("ticket.parts_missing", "parts_missing")]


class Prodequa(Contract):
    """Lima: every hour of business days; dates are agreed."""

    policy, provider, gates = "prodequa", "support@prodequa.example.com", True
    receipt = "receipt"
    agents: Mapping[str, str] = {"support": "carla@example.com"}
    roles: Mapping[str, str] = {"project_manager": "pablo@example.com"}
    pauses: Mapping[str, tuple[str, ...]] = {"customer": ("first_response", "agreed")}
    attempts = 3
    states_wait = True
    closes_itself = True

    def remarks(self, facts: Facts, channel: str) -> list[str]:
        """PRO-22"""
        return ["incomplete"]

    def attempted(self) -> list[tuple[str, str]]:
        """PRO-20"""
        return [("ticket.contact_attempted", "attempt")]

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """PRO-14"""
        if facts.get("out_of_service"):
            return "1", None
        if facts.get("operational_impact") == "significant":
            return "2", None
        return ("4" if facts.get("type") == "suggestion" else "3"), None

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """PRO-14, PRO-16"""
        if kind != "first_response":
            return None
        severity = self.grades(facts, plan)[0] or ""
        warn = {"1": ("50%", "80%"), "4": ()}.get(severity, ("80%",))
        length = _h({"1": 6, "2": 8, "3": 24, "4": 36}[severity])
        return Promise(severity, hours="prodequa:business_days", length=length, warn=warn)

    def closes_after(self, at: datetime) -> datetime:
        """PRO-20"""
        return HOURS["prodequa:service"].end_of_business_day(at, 2)

    def counts_attempt(self, at: datetime) -> bool:
        """PRO-20"""
        return HOURS["prodequa:service"].is_business_day(at.astimezone(_LIMA).date())

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """PRO-18"""
        if trigger == "customer_request":
            return (
                StepPlan(notify=("consultant",), template="escalated"),
                StepPlan(notify=("project_manager",), to_role="project_manager", template="escalated"),
            )
        return super().steps(trigger, kind, facts, plan, level)


class Ireo(Contract):
    """Madrid: by plan and severity."""

    policy, provider = "ireo", "support@ireo.example.com"
    receipt = "receipt"
    agents: Mapping[str, str] = {"support": "berta@example.com"}
    roles: Mapping[str, str] = {"manager": "marta@example.com"}

    def remarks(self, facts: Facts, channel: str) -> list[str]:
        """IRE-14"""
        severe = self.grades(facts, None)[0] in ("1", "2")
        return ["severity_provisional"] if severe and channel in ("email", "portal") else []

    def closed(self) -> list[tuple[str, str]]:
        """IRE-11"""
        return [("ticket.closed", "closed")]

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """IRE-08, IRE-09"""
        severity = {"stopped": "1", "degraded": "2", "limited": "3", "question": "4"}.get(facts.get("impact", ""), "3")
        return severity, f"{severity}-{plan}"

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """IRE-01, IRE-02, IRE-04"""
        severity = int(self.grades(facts, plan)[0] or 0)
        lengths = {"first_response": (1, 4, 8, 16), "resolution": (4, 16, 40, 80)}.get(kind)
        if lengths is None:
            return None
        always = plan == "vip" and severity <= 2  # severities 1 and 2
        hours = "always" if always else "ireo:standard" if plan == "standard" else "ireo:plus"
        warn = ("50%", "80%") if severity == 1 else ("80%",)
        return Promise(f"{plan}{severity}", hours=hours, length=_h(lengths[severity - 1]), warn=warn)

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """IRE-19"""
        notify = {"breach": ("assignee", "manager"), "warning": ("assignee",)}[trigger]
        return (StepPlan(notify=notify, template="missed"),)


class Skedu(Contract):
    """Chile, without daylight saving: by business days."""

    policy, provider = "skedu", "support@skedu.example.com"
    first_team = "level_1"
    roles: Mapping[str, str] = {"manager": "jorge@example.com"}
    teams_at_level: Mapping[int, str] = {1: "level_1", 2: "level_2", 3: "level_3"}
    assessed_level = 3

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """SKE-09"""
        of = {("high", "high"): "urgent", ("low", "low"): "low"}
        return None, of.get((facts.get("urgency", ""), facts.get("complexity", "")), "normal")

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """SKE-11"""
        if kind != "first_response":
            return None
        return Promise("1", hours="skedu:service", business_days=1, warn=("2h before",))

    def is_paused(self, kind: str, cause: str, level: int) -> bool:
        """SKE-06"""
        return kind == "agreed" and cause == "customer" and level == 3

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """SKE-03, SKE-06, SKE-11"""
        if trigger == "agent_request":
            return (StepPlan(to_level=level + 1),) if level < 3 else ()
        notify = {"breach": ("manager",), "warning": ("assignee", "team_lead")}[trigger]
        return (StepPlan(notify=notify, template="warned"),)


class Expande(Contract):
    """Valencia: receipts, levels, and the cloud around the clock."""

    policy, provider = "expande", "support@expande.example.com"
    first_team = "level_1_cinema"
    agents: Mapping[str, str] = {"level_1_cinema": "lola@example.com"}
    roles: Mapping[str, str] = {"team_lead": "leo@example.com", "manager": "mia@example.com"}
    teams_at_level: Mapping[int, str] = {2: "level_2", 3: "level_3"}
    team_addresses: Mapping[str, str] = {"cloud": "cloud@expande.example.com"}
    receipt = "checklist_missing"

    def remarks(self, facts: Facts, channel: str) -> list[str]:
        """EXP-10"""
        return ["incomplete"]

    def team(self, facts: Facts) -> str:
        """EXP-12, EXP-18"""
        return "cloud" if facts.get("component") == "cloud" else self.first_team

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """EXP-03"""
        if facts.get("sales_impossible") or facts.get("server_down"):
            return "critical", None
        return ("semi_critical" if facts.get("random_errors") else "minor"), None

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """EXP-06, EXP-11 to EXP-14"""
        severity = self.grades(facts, plan)[0] or ""
        warn = ("50%", "80%") if severity == "critical" else ("80%",)
        basic = {"critical": (0.5, 1, 4), "semi_critical": (0.5, 4, 24), "minor": (0.5, 16, 80)}[severity]
        premium = {"critical": (0.25, 0.5, 2), "semi_critical": (0.25, 2, 12), "minor": (0.25, 8, 40)}[severity]
        if facts.get("component") == "cloud":
            rule, hours, lengths = "cloud", "always", basic
        elif plan == "enterprise_premium":
            rule, hours, lengths = "premium", "always" if severity == "critical" else "expande:customer", premium
        elif level == 3 and facts.get("sales_impossible"):
            rule, hours, lengths = "sales", "expande:sales", basic
        elif level == 3:
            rule, hours, lengths = "level_3", "expande:level_3", basic
        else:
            rule, hours, lengths = "level_1", "expande:spanish", basic
        place = {"acknowledgement": 0, "first_response": 1, "resolution": 2}.get(kind)
        if place is None:
            return None
        return Promise(f"{rule} {severity}", hours=hours, length=_h(lengths[place]), warn=warn)

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """EXP-17"""
        critical = self.grades(facts, plan)[0] == "critical"
        if trigger == "breach" and kind == "first_response":
            first = StepPlan(to_level=2, notify=("team_lead",), template="escalated")
            if critical:
                return first, StepPlan(after=_h(1), to_level=3, notify=("manager",), template="escalated")
            return first, StepPlan(after=_h(4), hours="expande:level_3", to_level=3, template="escalated")
        if trigger == "breach" and kind == "resolution":
            return (StepPlan(to_level=3, notify=("manager",), template="escalated", repeat=_h(4), times=3),)
        if trigger == "warning":
            return (StepPlan(notify=("assignee", "team_lead") if critical else ("assignee",), template="warned"),)
        if trigger == "agent_request":
            return (StepPlan(to_level=level + 1),) if level < 3 else ()
        return super().steps(trigger, kind, facts, plan, level)


class Prompt(Contract):
    """The live desk: promises of seconds."""

    policy, provider = "prompt", "prompt@example.com"
    receipt = "receipt"
    agents: Mapping[str, str] = {"support": "ada@example.com"}
    roles: Mapping[str, str] = {"team_lead": "tom@example.com", "manager": "max@example.com"}
    pauses: Mapping[str, tuple[str, ...]] = {"customer": ("first_response", "resolution")}

    def __init__(self, *, first: int, whole: int, long: int, step: int) -> None:
        self._seconds = {"first_response": (first, long), "resolution": (whole, None)}
        self._step = timedelta(seconds=step)

    def closed(self) -> list[tuple[str, str]]:
        """QIK-09"""
        return [("ticket.closed", "closed")]

    def grades(self, facts: Facts, plan: str | None) -> tuple[str | None, str | None]:
        """QIK-02"""
        return ("high" if facts.get("stopped") else "low"), None

    def promise(self, kind: str, facts: Facts, plan: str | None, level: int) -> Promise | None:
        """QIK-04"""
        severity = self.grades(facts, plan)[0] or ""
        seconds = self._seconds.get(kind, (None, None))[severity != "high"]
        if seconds is None:
            return None
        return Promise(severity, length=timedelta(seconds=seconds), warn=("50%",) if severity == "high" else ())

    def steps(self, trigger: str, kind: str | None, facts: Facts, plan: str | None, level: int) -> tuple[StepPlan, ...]:
        """QIK-07"""
        if trigger == "breach" and kind == "resolution":
            step = self._step
            return (
                StepPlan(notify=("assignee",), template="late"),
                StepPlan(after=step, notify=("team_lead",), template="late"),
                StepPlan(after=step, notify=("manager",), template="late", times=2, repeat=step),
            )
        return (StepPlan(notify=("assignee",), template="late"),)


CONTRACTS: Mapping[str, type[Contract]] = {one.policy: one for one in (SmartCloud, Prodequa, Ireo, Skedu, Expande)}
