"""What another version of the policy does to the clocks of a ticket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import copy_of
from sla_clock.domain.facts import Fact, TermsChanged
from sla_clock.domain.fold import fold
from sla_clock.domain.terms import Terms


@dataclass(frozen=True, slots=True)
class Recount:
    """A clock before and after; None where nothing is promised."""

    before: Clock | None
    after: Clock | None

    @property
    def is_change(self) -> bool:
        """Whether anybody would see a difference."""
        before = None if self.before is None else copy_of(self.before)
        return before != (None if self.after is None else copy_of(self.after))


def terms_change(facts: Sequence[Fact], *, version: str, at: datetime) -> Fact:
    """Return the fact that another version holds from `at` on, after all that is known."""
    last = max((fact.version, fact.part) for fact in facts)
    return Fact(at, last[0], TermsChanged(version), last[1] + 1)


def recount(
    ticket_id: UUID, facts: Sequence[Fact], change: Fact, *, terms: Terms, later: Mapping[str, Terms], at: datetime
) -> list[Recount]:
    """Return every clock that is owed before or after a change of terms, as it stands at `at`."""
    before = {clock.clock_id: clock for clock in fold(ticket_id, facts, terms, at=at, later=later)}
    after = {clock.clock_id: clock for clock in fold(ticket_id, [*facts, change], terms, at=at, later=later)}
    pairs = (Recount(before.get(clock_id), after.get(clock_id)) for clock_id in after | before)
    return [pair for pair in pairs if any(clock and clock.is_running for clock in (pair.before, pair.after))]
