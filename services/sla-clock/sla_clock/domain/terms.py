"""What a policy promises for a ticket: which target, counted how, stopped and paused by what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from plazo.calendar import ELAPSED, NeverDue, TargetKind, WorkingTime, compile_calendar, parse_target
from plazo.kernel.time import DAY, SECOND, from_micros, to_micros
from plazo.policy import AgreedTerms, Place, Policy, calendar_of, first_for_kind, first_match, target_rule, with_agreed
from plazo.policy.promises import TARGET_KINDS, PauseRule, StopRule
from plazo.policy.rules import ClockKind
from sla_clock.domain.facts import FactValue

Commitment = Literal["objective", "guarantee"]
Document = Literal["contract", "policy", "defaults", "agreement"]
_BEYOND = 400 * 366 * DAY  # more than any calendar holds, whose years are 1970 to 2199
# What keeps a promise where the policy has no rule for its kind.
_STOPPED_BY: Mapping[ClockKind, frozenset[str]] = {
    "acknowledgement": frozenset({"receipt", "reply", "call"}),
    "first_response": frozenset({"reply", "call"}),
    "next_reply": frozenset({"reply", "call"}),
    "periodic_update": frozenset({"reply", "call"}),
}


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise as its rule words it. An agreed date has `until` instead of a target."""

    target: str | None
    calendar: str | None
    commitment: Commitment
    clauses: tuple[str, ...]
    warn_at: tuple[str, ...] = ()
    on_change: Literal["retroactive", "carry_over"] = "retroactive"
    rule: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which document decided something, and where in it; `agreement` is what an agent agreed with the customer.

    The contract speaks before the policy, the policy before the defaults. SKE-12
    """

    about: Literal["target", "stop", "pause"]
    by: Document
    source: str


@dataclass(frozen=True)
class Terms:
    """A policy version as it applies under a contract, to a customer in a place; its calendars are compiled once.

    `rules` is the policy with what the contract agrees before it. SKE-12
    """

    policy: Policy
    place: Place | None = None
    contract: AgreedTerms | None = None
    rules: Policy = field(init=False, repr=False, compare=False)
    _calendars: dict[str, WorkingTime] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Put what the contract agrees before what the policy says."""
        object.__setattr__(self, "rules", with_agreed(self.policy, self.contract))

    def working_time(self, calendar: str | None) -> WorkingTime:
        """Return the compiled calendar of that name; elapsed time for none. :raises NotFound: if there is no such"""
        if calendar is None:
            return compile_calendar(ELAPSED)
        if calendar not in self._calendars:
            self._calendars[calendar] = compile_calendar(calendar_of(self.policy, calendar, customer=self.place))
        return self._calendars[calendar]

    def promise(self, kind: ClockKind, facts: Mapping[str, FactValue]) -> Promise | None:
        """Decide what is promised for one kind of clock; None where nothing is."""
        if kind not in TARGET_KINDS:
            return None
        found = target_rule(self.rules, kind, facts)
        if found is None or (target := found.rule.target(kind)) is None:
            return None
        rule = found.rule
        return Promise(
            target=target,
            calendar=rule.calendar,
            commitment=rule.commitment,
            clauses=rule.clause,
            warn_at=rule.warn_at,
            on_change=rule.on_change,
            rule=found.index,
        )

    def agreed(self, until: datetime) -> Promise:
        """Return the promise that an agreed date is. PRO-16, SKE-06"""
        agreed = self.policy.lifecycle.agreed_date if self.policy.lifecycle else None
        return Promise(
            target=None,
            calendar=None,
            commitment="guarantee",
            clauses=agreed.clause if agreed else (),
            until=until,
        )

    def is_stopped_by(
        self, kind: ClockKind, activity: str, facts: Mapping[str, FactValue], *, channel: str | None = None
    ) -> bool:
        """Tell whether contacting the customer keeps the promise. PRO-15"""
        if any(kind in rule.kinds for rule in self.rules.stops):
            contact = {"activity": activity} | ({"channel": channel} if channel else {})
            return first_for_kind(self.rules.stops, kind, {**facts, **contact}) is not None
        return activity in _STOPPED_BY.get(kind, frozenset())

    def is_paused_by(self, kind: ClockKind, cause: str, facts: Mapping[str, FactValue]) -> bool:
        """Tell whether waiting for `cause` suspends the promise. PRO-17"""
        return first_for_kind(self.rules.pauses, kind, {**facts, "waiting": cause}) is not None

    def has_clocks(self, facts: Mapping[str, FactValue]) -> bool:
        """Tell whether coverage lets promises apply. EXP-04, EXP-09"""
        found = first_match(self.policy.coverage, facts)
        return found is None or found.rule.clocks

    def verdicts(self, kind: ClockKind, promise: Promise) -> tuple[Verdict, ...]:
        """Say which document decides the target of a promise, what keeps it and what pauses it. SKE-12"""
        if promise.rule is None:
            target = Verdict("target", "agreement", f"{self._name}, agreed date")
        else:
            target = Verdict("target", *self._place_of("targets", promise.rule))
        return target, self._first_about("stop", "stops", kind), self._first_about("pause", "pauses", kind)

    @property
    def _name(self) -> str:
        return f"{self.policy.policy} {self.policy.version}"

    def _place_of(self, table: Literal["targets", "stops", "pauses"], index: int) -> tuple[Document, str]:
        agreed = 0 if self.contract is None else len(getattr(self.contract, table))
        if self.contract is not None and index < agreed:
            return "contract", f"{self.contract.reference}, {table} rule {index + 1}"
        return "policy", f"{self._name}, {table} rule {index - agreed + 1}"

    def _first_about(
        self, about: Literal["stop", "pause"], table: Literal["stops", "pauses"], kind: ClockKind
    ) -> Verdict:
        rules: tuple[StopRule | PauseRule, ...] = getattr(self.rules, table)
        for index, rule in enumerate(rules):
            if kind in rule.kinds:
                return Verdict(about, *self._place_of(table, index))
        return Verdict(about, "defaults", f"no {table} rule of {self._name} speaks of it")

    def measure(self, promise: Promise, start: int) -> tuple[WorkingTime, int]:
        """Return what a promise is counted on and how long it is from `start`, in microseconds.

        Business days that do not come before the calendar's end are longer than all of it.
        """
        if promise.target is None:
            until = start if promise.until is None else to_micros(promise.until)
            return compile_calendar(ELAPSED), max(0, until - start)
        target = parse_target(promise.target)
        calendar = self.working_time(promise.calendar)
        if target.kind is TargetKind.WORKING:
            return calendar, target.amount * SECOND
        if target.kind is TargetKind.DAYS:
            return compile_calendar(ELAPSED), target.amount * DAY
        try:
            end = calendar.due(from_micros(start), target)
        except NeverDue:
            return calendar, _BEYOND
        return calendar, calendar.working_micros(start, to_micros(end))
