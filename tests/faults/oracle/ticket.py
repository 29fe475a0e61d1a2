"""The story of a ticket: what each accepted request makes of it, and what time brings about in between."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from faults.oracle.clock import Clock, News
from faults.oracle.contracts import HOURS, Contract, StepPlan

#: A moment of the timeline: what, and when it was true.
Moment = tuple[str, datetime]
#: A file: its id, its name, whether the customer may not see it, what its bytes come to.
File = tuple[str, str, bool, str]
#: A message: what it tells of, in which words, to whom.
Told = tuple[str, str, str]

_WORK = ("new", "acknowledged", "in_progress", "waiting")
_OVER = ("resolved", "closed")
_WINDOW = "agreed_window"


class Refused(Exception):  # it is no error: the contract says no
    """The request may not be accepted as the ticket stands."""


@dataclass(slots=True)
class Step:
    """A step of an escalation: when it is due, whether and when it was taken."""

    due_at: datetime | None
    plan: StepPlan
    turn: int
    state: str = "planned"
    fired_at: datetime | None = None


@dataclass(slots=True)
class Escalation:
    """What a trigger set off."""

    trigger: str
    kind: str | None
    cycle: int | None
    threshold: str | None
    raised_at: datetime
    steps: list[Step]
    on_request: bool = False
    state: str = "running"
    reasons: tuple[str, ...] = ()
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None


@dataclass(slots=True)
class Attempt:
    """An unanswered attempt to reach the customer that counts, and the closing it announced."""

    made_at: datetime
    closes_at: datetime | None


@dataclass(slots=True)
class Meeting:
    """An appointment, and what became of it. `late` is known of one that was cancelled."""

    starts_at: datetime
    ends_at: datetime
    is_awaited: bool
    state: str = "scheduled"
    settled_at: datetime | None = None
    late: bool | None = None


@dataclass(slots=True)
class TicketStory:
    """A ticket as it must be. `present` is how far its time has come."""

    contract: Contract
    ticket_id: str
    plan: str | None
    customer: str
    facts: dict[str, Any]
    opened_at: datetime
    present: datetime
    state: str = "new"
    cycle: int = 1
    level: int = 1
    team: str = ""
    holder: str | None = None
    held_for: str | None = None
    waits: dict[str, datetime | None] = field(default_factory=dict)
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    closed_for: str | None = None
    acknowledged_at: datetime | None = None
    has_clocks: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    closes_at: datetime | None = None
    clocks: list[Clock] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)
    timeline: Counter[Moment] = field(default_factory=Counter)
    said: list[Moment] = field(default_factory=list)
    messages: Counter[Told] = field(default_factory=Counter)
    channel: str = "email"
    names: Mapping[str, str] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    meetings: dict[str, Meeting] = field(default_factory=dict)

    # How it begins.

    def open(self) -> None:
        """Somebody asked."""
        at = self.opened_at
        self.team = self.contract.team(self.facts)
        self.holder = self.contract.agents.get(self.team)
        self._say("opened", at)
        severity, priority = self.contract.grades(self.facts, self.plan)
        if severity is not None:
            self._note("decided_severity", at)
        if priority is not None:
            self._note("decided_priority", at)
        self._note("decided_coverage", at)
        for kind in self.contract.remarks(self.facts, self.channel):
            self._note(kind, at)
        self._note("assigned", at)
        for event, template in self.contract.opened(self.facts):
            self._tell(event, template, ("requester",), at)
        if not self.contract.gates:
            self._start_clocks(at)
        if self.contract.receipt:
            self.acknowledged_at = at
            self._note("acknowledged", at)
            if self.state == "new":
                self.state = "acknowledged"
            self._answer("receipt", at)

    def hold(self, reason: str, at: datetime) -> None:
        """It is kept and not worked on."""
        self.held_for = reason
        self.state = "held"
        self._note("held", at)
        self._tell("ticket.held", "held", ("requester",), at)

    def admit(self, at: datetime) -> None:
        """It is let in: its clocks count from the opening, or from the release."""
        if self.held_for is None:
            self._note("admitted", at)
            self._start_clocks(self.opened_at)
            return
        self.held_for = None
        if self.state == "held":
            self.state = "new"
        self._note("released", at)
        if self.state != "closed":
            self._start_clocks(at)

    def _start_clocks(self, at: datetime) -> None:
        self.has_clocks = True
        for kind in ("acknowledgement", "first_response", "resolution"):
            self._start(kind, 1, at)

    # What people do.

    def reply(self, at: datetime, *, is_call: bool) -> None:
        """The desk says something to the customer."""
        self._need(*_WORK, "resolved")
        if self.state in ("new", "acknowledged"):
            self.state = "in_progress"
        self._say("call" if is_call else "reply", at)
        self._answer("call" if is_call else "reply", at)

    def note(self, at: datetime) -> None:
        """The desk says something to itself."""
        self._say("internal_note", at)

    def attach(self, file: File, at: datetime) -> None:
        """A file comes, whatever the state."""
        self._say("attachment_added", at)
        self.files.append(file)

    def hear(self, at: datetime) -> None:
        """The customer says something."""
        self._need(*_WORK, "held", "resolved")
        self._say("customer_reply", at)
        self._reset_attempts()
        if "customer" in self.waits:
            self._end_wait("customer", at)

    def wait(self, cause: str, at: datetime, until: datetime | None) -> None:
        """Somebody is waited for; twice is once."""
        if until is not None and until <= at:
            raise Refused
        self._need(*_WORK)
        self.state = "waiting"
        if cause in self.waits:
            return
        self.waits[cause] = until
        self._say("wait_started", at)
        for clock in self._open_clocks():
            if self.contract.is_paused(clock.kind, cause, self.level):
                clock.pause(cause, at)
        self._tell_clocks(at)

    def meet(self, meeting_id: str, meeting: Meeting, at: datetime) -> None:
        """Desk and customer agree to meet; the ticket may wait for it."""
        if meeting.starts_at <= at:
            raise Refused
        self._need(*_WORK, *(() if meeting.is_awaited else ("held",)))
        self.meetings[meeting_id] = meeting
        self._say("appointment_scheduled", at)
        if meeting.is_awaited:
            self.wait(_WINDOW, at, meeting.starts_at)

    def settle(self, meeting: Meeting, state: str, at: datetime, *, by_customer: bool) -> None:
        """They met, or did not, or will not; it is said once."""
        if meeting.state != "scheduled" or (state != "cancelled" and at < meeting.starts_at):
            raise Refused
        meeting.state, meeting.settled_at = state, at
        if state == "cancelled":
            meeting.late = self.contract.charges_absence and by_customer and at > meeting.starts_at
        self._say(f"appointment_{state}", at)
        if meeting.is_awaited and self.waits.get(_WINDOW) == meeting.starts_at:
            self._end_wait(_WINDOW, at)

    def end_wait(self, cause: str, at: datetime) -> None:
        """A wait is over."""
        if cause not in self.waits:
            raise Refused
        self._end_wait(cause, at)

    def _end_wait(self, cause: str, at: datetime) -> None:
        del self.waits[cause]
        self._say("wait_ended", at)
        if not self.waits:
            self.state = "in_progress"
        if cause == "customer":
            self._reset_attempts()
        self._resume(cause, at)

    def _resume(self, cause: str, at: datetime) -> None:
        for clock in self._open_clocks():
            clock.resume(cause, at)
        self._tell_clocks(at)

    def change_facts(self, facts: Mapping[str, Any], at: datetime) -> None:
        """What is stated changes, and what follows from it."""
        self._need(*_WORK, "held")
        before = (dict(self.facts), self.contract.grades(self.facts, self.plan))
        self.facts = {name: value for name, value in {**self.facts, **facts}.items() if value is not None}
        if before == (self.facts, self.contract.grades(self.facts, self.plan)):
            return
        self._say("facts_changed", at)
        self._recount(at, is_move=False)

    def _recount(self, at: datetime, *, is_move: bool) -> None:
        if self.has_clocks:
            for clock in self._open_clocks():
                if clock.kind == "agreed" or (is_move and clock.is_broken_at(at)):
                    continue
                promise = self.contract.promise(clock.kind, self.facts, self.plan, self.level)
                assert promise is not None, "the traffic states nothing that takes a promise away"
                clock.change(promise, at)
        self._tell_clocks(at)

    def agree(self, due_at: datetime, at: datetime) -> None:
        """A date is agreed."""
        if due_at <= at:
            raise Refused
        self._need(*_WORK)
        if self.state in ("new", "acknowledged"):
            self.state = "in_progress"
        self._say("date_agreed", at)
        promise = self.contract.agreed(due_at)
        agreed = next((clock for clock in self._open_clocks() if clock.kind == "agreed"), None)
        if agreed is not None and agreed.is_broken_by(at):
            agreed.stop(at)
            agreed = None
        if agreed is None:
            self._start("agreed", 1 + sum(clock.kind == "agreed" for clock in self.clocks), at, promise=promise)
        else:
            agreed.change(promise, at)
        self._tell_clocks(at)

    def attempt(self, at: datetime, closes_at: datetime | None) -> None:
        """The customer was not reached."""
        self._need("waiting", "resolved")
        if self.state == "waiting" and "customer" not in self.waits:
            raise Refused
        if closes_at is None:
            if self.contract.states_wait:
                raise Refused
        elif closes_at < self.contract.closes_after(at):
            raise Refused
        self._say("contact_attempted", at)
        if not self.contract.attempts or not self.contract.counts_attempt(at):
            return
        self.attempts.append(Attempt(at, closes_at))
        for event, template in self.contract.attempted():
            self._tell(event, template, ("requester",), at)
        if len(self.attempts) >= self.contract.attempts:
            last = self.attempts[self.contract.attempts - 1].made_at
            told = [one.closes_at for one in self.attempts if one.closes_at is not None]
            self.closes_at = max([self.contract.closes_after(last), *told])

    def _reset_attempts(self) -> None:
        self.attempts, self.closes_at = [], None

    def resolve(self, at: datetime) -> None:
        """It is solved, they say."""
        self._need(*_WORK)
        if self.level == self.contract.assessed_level:
            raise Refused
        self._drop_waits(at)
        self._reset_attempts()
        self.state, self.resolved_at = "resolved", at
        self._say("resolved", at)
        self._stop_clocks(at)
        self._end_escalations("ticket.resolved", at)

    def _stop_clocks(self, at: datetime) -> None:
        for clock in self._open_clocks():
            clock.stop(at)
        self._tell_clocks(at)

    def _drop_waits(self, at: datetime) -> None:
        for cause in [*self.waits]:
            del self.waits[cause]
            self._say("wait_ended", at)
            self._resume(cause, at)

    def close(self, reason: str, at: datetime) -> None:
        """It is over."""
        if reason == "confirmed":
            self._need("resolved")
        elif reason == "withdrawn":
            self._need(*_WORK, "held")
        else:
            self._need("waiting", "resolved")
            if self.state == "waiting" and "customer" not in self.waits:
                raise Refused
            if not self.contract.attempts or self.closes_at is None or at < self.closes_at:
                raise Refused
        self._drop_waits(at)
        self._reset_attempts()
        self.state, self.closed_at, self.closed_for, self.held_for = "closed", at, reason, None
        self._say("closed", at)
        if reason == "confirmed":
            self._stop_clocks(at)
        else:
            for clock in self._open_clocks():
                clock.abandon(at)
            self._tell_clocks(at)
        self._end_escalations("ticket.closed", at)
        for event, template in self.contract.closed():
            self._tell(event, template, ("requester",), at)

    def reopen(self, at: datetime) -> None:
        """It was not solved: the next cycle."""
        self._need(*_OVER)
        self._reset_attempts()
        self.state, self.cycle = "in_progress", self.cycle + 1
        self.resolved_at = self.closed_at = self.closed_for = None
        self._say("reopened", at)
        self._note("assigned", at)
        self.holder = self.contract.agents.get(self.team)
        if self.has_clocks:
            self._start("resolution", self.cycle, at)

    def hand_over(self, holder: str, at: datetime) -> None:
        """Somebody gets it, whoever's turn it is."""
        self.holder = holder
        self._note("assigned", at)

    @property
    def is_over(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self.state in _OVER

    # Who is told.

    def ask(self, trigger: str, at: datetime) -> None:
        """Somebody asks for the next step."""
        if self.state not in (*_WORK, "held"):
            raise Refused
        plans = self.contract.steps(trigger, None, self.facts, self.plan, self.level)
        if trigger == "customer_request":
            going = next((one for one in self.escalations if one.on_request and one.state == "running"), None)
            if going is None:
                going = Escalation(
                    trigger, None, None, None, at, [Step(None, plan, 1) for plan in plans], on_request=True
                )
                self.escalations.append(going)
                self._note("escalated", at)
            step = next((one for one in going.steps if one.state == "planned"), None)
            if step is None:
                raise Refused
            self._fire(going, step, at)
            return
        if not plans:
            raise Refused
        self._raise(trigger, None, None, None, at)

    def acknowledge(self, known: tuple[object, ...], at: datetime) -> bool:
        """Somebody takes notice of an escalation: what would be repeated is left out, the other steps go on."""
        for one in self.escalations:
            if (one.trigger, one.kind, one.threshold, one.raised_at) == known:
                break
        else:
            return False
        if one.acknowledged_at is None:
            one.acknowledged_at = at
            repeated = [step for step in one.steps if step.turn > 1 and step.state == "planned"]
            for step in repeated:
                step.state = "skipped"
            if repeated:
                self._go_on(one, at)
        return True

    def _raise(self, trigger: str, kind: str | None, cycle: int | None, threshold: str | None, at: datetime) -> None:
        known = (trigger, kind, cycle, threshold, at)
        if kind and any(
            (one.trigger, one.kind, one.cycle, one.threshold, one.raised_at) == known for one in self.escalations
        ):
            return
        steps: list[Step] = []
        latest = at
        for plan in self.contract.steps(trigger, kind, self.facts, self.plan, self.level):
            start, after = at, plan.after
            for turn in range(1, plan.times + 1):
                due = max(latest, HOURS[plan.hours].after(start, after) if after else start)
                steps.append(Step(due, plan, turn))
                latest = start = due
                after = plan.repeat
        if not steps:
            return
        escalation = Escalation(trigger, kind, cycle, threshold, at, steps)
        self.escalations.append(escalation)
        self._note("escalated", at)
        self._go_on(escalation, at)

    def _go_on(self, escalation: Escalation, at: datetime) -> None:
        for step in escalation.steps:
            if step.state != "planned":
                continue
            if step.due_at is None or step.due_at > at:
                return
            self._fire(escalation, step, step.due_at)
        if escalation.state == "running":
            escalation.state, escalation.ended_at = "completed", at
            if escalation.acknowledged_at is None and any(step.turn > 1 for step in escalation.steps):
                # What is written is dated when it is written, however long ago the last step was due.
                self._tell("escalation.unanswered", "unanswered", ("manager", "administrator"), max(at, self.present))

    def _fire(self, escalation: Escalation, step: Step, at: datetime) -> None:
        step.state, step.fired_at = "fired", at
        step.due_at = step.due_at or at  # one that is asked for is due then
        plan = step.plan
        level = max(self.level, plan.to_level or 0)
        if level > self.level:
            self.level = level
            self.team = self.contract.teams_at_level.get(level, self.team)
            self.holder = self.contract.agents.get(self.team)
            self._note("assigned", at)
            if self.state not in _OVER:
                self._note("facts_changed", self.present)
                self._recount(self.present, is_move=True)
        if plan.to_role is not None and self.contract.roles[plan.to_role] != self.holder:
            self.holder = self.contract.roles[plan.to_role]
            self._note("assigned", at)
        self._note("escalation_step", at)
        self._tell("escalation.step_fired", plan.template, plan.notify, max(at, self.present))

    def _end_escalations(self, reason: str, at: datetime) -> None:
        for one in self.escalations:
            if one.state == "running":
                self._end_escalation(one, (reason, "clock.stopped", "clock.cancelled"), at)

    def _end_escalation(
        self, one: Escalation, reasons: tuple[str, ...], at: datetime, *, is_void: bool = False
    ) -> None:
        one.state, one.reasons, one.ended_at = "stopped", reasons, at
        for step in one.steps:
            if step.state == "planned" and (is_void or step.due_at is None or step.due_at > at):
                step.state = "skipped"
        self._note("escalation_stopped", at)

    # What time brings about.

    def advance(self, to: datetime) -> None:
        """Let time pass: warnings, breaches, steps, the ends of waits and of patience, each at its instant."""
        while (instant := self._next(to)) is not None:
            self.present = max(self.present, instant)
            self._happen(instant)
        self.present = max(self.present, to)

    def _next(self, to: datetime) -> datetime | None:
        instants = [at for clock in self.clocks if (at := clock.next_instant(self.present))]
        instants += [until for until in self.waits.values() if until is not None]
        instants += [] if self.closes_at is None or not self.contract.closes_itself else [self.closes_at]
        instants += [at for one in self.escalations if (at := _next_step(one)) is not None]
        return min((at for at in instants if at <= to), default=None)

    def _happen(self, at: datetime) -> None:
        self._tell_clocks(self.present)
        for cause, until in [*self.waits.items()]:
            if until is not None and until <= at:
                self._end_wait(cause, until)
        if self.closes_at is not None and self.contract.closes_itself and self.closes_at <= at:
            self.close("abandoned", self.closes_at)
        for one in [*self.escalations]:
            due = _next_step(one)
            if due is not None and due <= at:
                self._go_on(one, due)

    # The bookkeeping.

    def _need(self, *states: str) -> None:
        if self.state not in states:
            raise Refused

    def _start(self, kind: str, cycle: int, at: datetime, *, promise: Any = None) -> None:
        promise = promise or self.contract.promise(kind, self.facts, self.plan, self.level)
        if promise is None:
            return
        clock = Clock.begin(kind, cycle, promise, at)
        for cause in self.waits:
            if self.contract.is_paused(kind, cause, self.level):
                clock.pause(cause, at)
        self.clocks.append(clock)
        self._tell_clocks(self.present)

    def _open_clocks(self) -> list[Clock]:
        return [clock for clock in self.clocks if clock.is_open]

    def _answer(self, activity: str, at: datetime) -> None:
        for clock in self._open_clocks():
            if self.contract.stops(clock.kind, activity):
                clock.stop(at)
        self._tell_clocks(at)

    def _tell_clocks(self, at: datetime) -> None:
        for clock in self.clocks:
            clock.tell(max(at, self.present), self._hear_clock)

    def _hear_clock(self, clock: Clock, news: News) -> None:
        what, at, threshold = news
        self._note(what, at)
        if what == "clock_warned":
            self._raise("warning", clock.kind, clock.cycle, threshold, at)
        elif what == "clock_breached":
            self._raise("breach", clock.kind, clock.cycle, None, at)
        elif what in ("clock_stopped", "clock_cancelled"):
            for one in self._caused_by(clock):
                if one.state == "running":
                    self._end_escalation(one, (what.replace("_", "."), "ticket.resolved", "ticket.closed"), at)
        elif what == "clock_breach_retracted":
            for one in self._caused_by(clock):
                if one.trigger == "breach" and "breach_retracted" not in one.reasons:
                    self._end_escalation(one, ("breach_retracted",), at, is_void=True)

    def _caused_by(self, clock: Clock) -> list[Escalation]:
        return [one for one in self.escalations if (one.kind, one.cycle) == (clock.kind, clock.cycle)]

    def _note(self, kind: str, at: datetime) -> None:
        self.timeline[kind, at] += 1

    def _say(self, kind: str, at: datetime) -> None:
        self._note(kind, at)
        self.said.append((kind, at))

    def _tell(self, event: str, template: str, roles: tuple[str, ...], at: datetime) -> None:
        for address in dict.fromkeys(
            self.contract.address(role, self.team, self.customer, self.holder) for role in roles
        ):
            self.messages[event, template, address] += 1
            self._note("notified", at)


def _next_step(escalation: Escalation) -> datetime | None:
    """Return when the next step comes; one that was due before its escalation ended is still taken."""
    if escalation.on_request:
        return None
    return next((step.due_at for step in escalation.steps if step.state == "planned"), None)
