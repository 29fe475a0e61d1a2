"""The fold: what happened to a ticket, in the order in which it was true, gives its clocks at any instant."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from plazo.events.sla_clock import ClockKind
from sla_clock.domain.clock import Because, Clock
from sla_clock.domain.facts import (
    Admitted,
    Answered,
    Closed,
    CustomerReplied,
    DateAgreed,
    Fact,
    FactsChanged,
    FactValue,
    Held,
    Opened,
    Reopened,
    Resolved,
    TermsChanged,
    WaitEnded,
    WaitStarted,
    What,
    in_order,
)
from sla_clock.domain.occasion import Occasion
from sla_clock.domain.terms import Promise, Terms

_FROM_THE_OPENING: tuple[ClockKind, ...] = ("acknowledgement", "first_response", "periodic_update", "resolution")


def fold(
    ticket_id: UUID, facts: Iterable[Fact], terms: Terms, *, at: datetime, later: Mapping[str, Terms] | None = None
) -> tuple[Clock, ...]:
    """Return the clocks of a ticket at the instant `at`, by start.

    The same facts give the same clocks in whatever order they became known. `terms` are those that the ticket opened
    under, `later` by version those that its facts name.
    """
    walk = _Walk(terms, later or {})
    for fact in in_order(facts, at=at):
        walk.take(fact)
    clocks = (occasion.clock(ticket_id, at=at) for occasion in walk.occasions.values())
    return tuple(sorted((clock for clock in clocks if clock), key=lambda one: (one.started_at, one.kind, one.cycle)))


def next_instant(clocks: Iterable[Clock], facts: Iterable[Fact], *, after: datetime) -> datetime | None:
    """Return the next instant at which a ticket's clocks change without anything happening."""
    instants = [instant for clock in clocks if (instant := clock.next_instant(after=after))]
    instants += [fact.occurred_at for fact in facts if fact.occurred_at > after]
    return min(instants, default=None)


@dataclass(slots=True)
class _Walk:
    """Where the fold stands: what is owed, what is waited for, which facts hold."""

    terms: Terms
    later: Mapping[str, Terms]
    occasions: dict[tuple[ClockKind, int], Occasion] = field(default_factory=dict)
    owed: list[Occasion] = field(default_factory=list)  # those of them that were open when last looked at
    cycles: Counter[ClockKind] = field(default_factory=Counter)
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    waits: dict[str, datetime] = field(default_factory=dict)
    has_clocks: bool = False
    counts_from: datetime | None = None  # None while the ticket is not admitted
    is_active: bool = False
    is_closed: bool = False
    agreed_until: datetime | None = None
    opening: tuple[datetime, bool, bool] | None = None  # when; what was decided then, and what coverage says of it

    def take(self, fact: Fact) -> None:  # noqa: C901, PLR0912  # one line for each kind of fact
        """Let one thing that happened have its effect."""
        at = fact.takes_effect_at
        if self.opening is not None:
            at = max(at, self.opening[0])
        what: What = fact.what
        match what:
            case Opened():
                self._open(what, at)
            case Admitted():
                self._admit(at)
            case Held():
                self.counts_from = None
                self.is_active = False
                self._abandon(at, because="held")
            case FactsChanged():
                self._change_facts(what.facts, at, corrects=what.corrects)
            case Answered():
                self._answer(what, at)
            case CustomerReplied():
                self._hear_customer(at)
            case WaitStarted():
                self._wait(what.cause, at)
            case WaitEnded():
                self.waits.pop(what.cause, None)
                for occasion in self._owed():
                    occasion.resume(what.cause, at=at)
            case DateAgreed():
                self._agree(what.due_at, at)
            case Resolved():
                self._finish(at)
            case Reopened():
                self._reopen(what, at)
            case Closed(reason="confirmed"):
                self.is_closed = True
                self._finish(at)
            case Closed():
                self.is_closed = True
                self.is_active = False
                self._abandon(at, because="closed")
            case TermsChanged():
                self._change_terms(self.later[what.version], at)

    def _owed(self) -> list[Occasion]:
        # What has ended stays so: a ticket of a thousand replies is not looked through at each.
        self.owed = [occasion for occasion in self.owed if occasion.is_open]
        return self.owed

    def _owed_of(self, kind: ClockKind) -> Occasion | None:
        return next((occasion for occasion in self._owed() if occasion.kind == kind), None)

    def _open(self, opened: Opened, at: datetime) -> None:
        self.facts = opened.facts
        self.has_clocks = opened.clocks
        self.opening = (at, opened.clocks, self.terms.has_clocks(opened.facts))
        if not opened.pending:
            self._admit(at)

    def _admit(self, at: datetime) -> None:
        if self.counts_from is None:
            self.counts_from = at
            if self.is_closed:
                return  # the release of a request that was withdrawn meanwhile promises nothing
            self.is_active = True
            for kind in _FROM_THE_OPENING:
                before = self.occasions.get((kind, 1))
                if before is None or before.cancelled_at:
                    self._start(kind, 1, at)

    def _promised(self, kind: ClockKind, facts: Mapping[str, FactValue]) -> Promise | None:
        if not self.has_clocks:
            return None
        if kind == "agreed":
            return self.terms.agreed(self.agreed_until) if self.agreed_until else None
        return self.terms.promise(kind, facts)

    def _start(self, kind: ClockKind, cycle: int, at: datetime) -> None:
        self.cycles[kind] += (kind, cycle) not in self.occasions
        occasion = self.occasions[kind, cycle] = Occasion(self.terms, kind, cycle, at)
        self.owed = [*self.owed, occasion]
        for cause, since in self.waits.items():
            if self.terms.is_paused_by(kind, cause, self.facts):
                occasion.pause(cause, at=max(since, at))
        occasion.promise(self._promised(kind, self.facts), facts=self.facts, at=at, because="started")

    def _change_facts(self, facts: Mapping[str, FactValue], at: datetime, *, corrects: bool) -> None:
        changed = {name for name in {*self.facts, *facts} if self.facts.get(name) != facts.get(name)}
        self.facts = facts
        has_clocks = self._covers()
        because: Because = "facts_changed" if has_clocks == self.has_clocks else "coverage"
        self.has_clocks = has_clocks
        for occasion in self._owed():
            # A broken promise moves the ticket up a level, whose hours may be kinder: that does not mend it. Nor does
            # a severity that its escalation raised: the promise was broken as it was given.
            is_move = changed == {"level"} or not corrects
            if not is_move or not occasion.is_broken_at(at):
                promised = self._promised(occasion.kind, facts)
                occasion.promise(promised, facts=facts, at=at, because=because)

    def _covers(self) -> bool:
        """Tell whether promises apply.

        What was decided at the opening holds until the coverage rules come to another answer than they gave then.
        """
        assert self.opening is not None
        _, decided, by_rule = self.opening
        now_by_rule = self.terms.has_clocks(self.facts)
        return decided if now_by_rule == by_rule else now_by_rule

    def _change_terms(self, terms: Terms, at: datetime) -> None:
        """Count by other terms what is still owed; what has ended stays as it was."""
        self.terms = terms
        self.has_clocks = self._covers()
        for occasion in self._owed():
            occasion.change_terms(terms, self._promised(occasion.kind, occasion.facts), at=at)
            for cause in self.waits:
                if terms.is_paused_by(occasion.kind, cause, self.facts):
                    occasion.pause(cause, at=at)
                else:
                    occasion.resume(cause, at=at)

    def _answer(self, answer: Answered, at: datetime) -> None:
        for occasion in self._owed():
            if self.terms.is_stopped_by(occasion.kind, answer.activity, self.facts, channel=answer.channel):
                occasion.stop(at)
                if occasion.kind == "periodic_update":
                    self._start("periodic_update", occasion.cycle + 1, at)

    def _hear_customer(self, at: datetime) -> None:
        """The customer is owed a next reply, unless the first one, or an earlier next one, is still owed."""
        first = self._owed_of("first_response")
        if self.is_active and self._owed_of("next_reply") is None and not (first and first.is_promised):
            self._start("next_reply", self.cycles["next_reply"] + 1, at)

    def _wait(self, cause: str, at: datetime) -> None:
        if cause in self.waits:
            return
        self.waits[cause] = at
        for occasion in self._owed():
            if self.terms.is_paused_by(occasion.kind, cause, self.facts):
                occasion.pause(cause, at=at)

    def _agree(self, until: datetime, at: datetime) -> None:
        """A new date moves the old one, unless that has been broken: then it is a new promise."""
        self.agreed_until = until
        agreed = self._owed_of("agreed")
        if agreed is not None and agreed.is_due_by(at):
            agreed.stop(at)
            agreed = None
        if agreed is None:
            self._start("agreed", self.cycles["agreed"] + 1, at)
        else:
            promised = self._promised("agreed", self.facts)
            agreed.promise(promised, facts=self.facts, at=at, because="date_agreed")

    def _finish(self, at: datetime) -> None:
        self.is_active = False
        for occasion in self._owed():
            occasion.stop(at)

    def _reopen(self, reopened: Reopened, at: datetime) -> None:
        self.is_closed = False
        if self.counts_from is None:
            return
        if reopened.clocks and not self.has_clocks and self.opening is not None:
            self.has_clocks = True
            self.opening = (self.opening[0], True, self.terms.has_clocks(self.facts))
        self.is_active = True
        self._start("resolution", reopened.cycle, at)
        self._start("periodic_update", self.cycles["periodic_update"] + 1, at)

    def _abandon(self, at: datetime, *, because: Because) -> None:
        for occasion in self._owed():
            occasion.abandon(at, because=because)
