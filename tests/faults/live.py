"""A live desk: nobody can foretell its instants; its dossier says them, and they have to fit what was asked."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from faults.accepted import Exchange
from faults.observe import Observed, ObservedDesk
from faults.oracle.ticket import Moment
from faults.words import instant, words

_CAUSES = ("clock_stopped", "clock_cancelled", "clock_rescheduled", "clock_breach_retracted")


@dataclass(frozen=True, slots=True)
class Excuse:
    """Until when the news of something was on its way: what time brought meanwhile was told in good faith."""

    happened_at: datetime
    learnt_at: datetime

    def covers(self, at: datetime | None) -> bool:
        """Whether something at an instant was told before the news came."""
        return at is not None and self.happened_at <= at <= self.learnt_at


def excuses_of(observed: Observed) -> list[Excuse]:
    """Return what had happened to a ticket when the news of it was still on its way."""
    return [
        Excuse(occurred, recorded)
        for entry in observed.timeline
        if entry["kind"] in _CAUSES
        and (occurred := instant(entry["occurred_at"])) is not None
        and (recorded := instant(entry["recorded_at"])) is not None
    ]


@dataclass
class Timeline:
    """The watch of a live desk: its dossier says when an accepted request took effect, within the time it took."""

    desk: ObservedDesk
    slack: timedelta
    faults: list[str] = field(default_factory=list)
    _left: dict[str, list[Moment]] = field(default_factory=dict)

    def at(self, exchange: Exchange, ticket_id: str, kind: str) -> datetime:
        """Return when the next thing of a kind was done to a ticket."""
        left = self._of(ticket_id)
        return next((at for what, at in left if what == kind), exchange.answered_at)

    def done(self, exchange: Exchange, ticket_id: str, moments: list[Moment]) -> None:
        """Look for what was done, and whether it is dated within the request."""
        left = self._of(ticket_id)
        for moment in moments:
            if moment not in left:
                self.faults.append(f"{exchange}: {moment[0]} is not in the dossier")
                continue
            left.remove(moment)
            if not exchange.sent_at - self.slack <= moment[1] <= exchange.answered_at + self.slack:
                self.faults.append(
                    f"{exchange}: {moment[0]} is dated {words(moment[1])}, between {words(exchange.sent_at)} and "
                    f"{words(exchange.answered_at)} expected"
                )

    def _of(self, ticket_id: str) -> list[Moment]:
        if ticket_id not in self._left:
            observed = self.desk.tickets.get(ticket_id)
            entries = observed.timeline if observed else []
            self._left[ticket_id] = [
                (entry["kind"], at) for entry in entries if (at := instant(entry["occurred_at"])) is not None
            ]
        return self._left[ticket_id]
