"""The record of what was asked and how it was answered: all that the oracle knows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer that settled it.

    `action` is what the traffic meant by it, `who` the side that asked. `unanswered` says what came of the attempts
    before: a status, or the name of an error. `sent_at` is the machine's time before the first attempt, `answered_at`
    after the last one.
    """

    number: int
    desk: str
    action: str
    who: str
    method: str
    path: str
    body: Any
    key: str | None
    status: int
    answer: Any
    unanswered: tuple[str, ...]
    sent_at: datetime
    answered_at: datetime

    @property
    def is_accepted(self) -> bool:
        """Whether it was answered with a 2xx."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """Say it in a line."""
        body = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else self.body
        return f"{self.desk} #{self.number} {self.method} {self.path} {body} → {self.status}"


@dataclass(slots=True)
class Accepted:
    """Every exchange, in the order in which its desk had its answers; the desks run beside each other."""

    exchanges: list[Exchange] = field(default_factory=list)

    def add(self, exchange: Exchange) -> None:
        """Keep one more."""
        self.exchanges.append(exchange)

    def of(self, desk: str) -> Iterator[Exchange]:
        """Return those of a desk, in order."""
        return (one for one in self.exchanges if one.desk == desk)

    def repeated(self) -> int:
        """Count the requests that had to be sent again."""
        return sum(1 for one in self.exchanges if one.unanswered)

    def crashed(self) -> list[Exchange]:
        """Return the requests that a service once answered with 500: it had no word for what went wrong."""
        return [one for one in self.exchanges if "500" in one.unanswered]
