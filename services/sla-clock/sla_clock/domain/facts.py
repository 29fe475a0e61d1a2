"""What happened to a ticket, as far as its promises depend on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FactValue = bool | int | str


@dataclass(frozen=True, slots=True)
class Opened:
    """The ticket exists. `clocks` is false where nothing is promised for it, `pending` while its admission is open."""

    facts: dict[str, FactValue]
    clocks: bool
    pending: bool
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The ticket may be worked on; its clocks count from `counts_from`."""

    counts_from: datetime
    kind: Literal["admitted"] = "admitted"


@dataclass(frozen=True, slots=True)
class Held:
    """The ticket is kept, but not worked on."""

    reason: str
    kind: Literal["held"] = "held"


@dataclass(frozen=True, slots=True)
class FactsChanged:
    """The named facts are these from now on. Where an escalation changed them, it `corrects` nothing."""

    facts: dict[str, FactValue]
    changed: tuple[str, ...] = ()
    kind: Literal["facts_changed"] = "facts_changed"
    corrects: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider contacted the customer."""

    activity: str
    channel: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True)
class CustomerReplied:
    """The customer wrote or called."""

    kind: Literal["customer_replied"] = "customer_replied"


@dataclass(frozen=True, slots=True)
class WaitStarted:
    """The ticket waits for `cause`."""

    cause: str
    kind: Literal["wait_started"] = "wait_started"


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """The wait for `cause` is over."""

    cause: str
    kind: Literal["wait_ended"] = "wait_ended"


@dataclass(frozen=True, slots=True)
class DateAgreed:
    """The work shall be done by `due_at`."""

    due_at: datetime
    kind: Literal["date_agreed"] = "date_agreed"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The provider says it is solved."""

    kind: Literal["resolved"] = "resolved"


@dataclass(frozen=True, slots=True)
class Reopened:
    """The resolution did not hold; `cycle` begins. `clocks` says whether promises hold now, None that they still do."""

    cycle: int
    clocks: bool | None = None
    kind: Literal["reopened"] = "reopened"


@dataclass(frozen=True, slots=True)
class Closed:
    """The dossier is complete."""

    reason: str
    kind: Literal["closed"] = "closed"


@dataclass(frozen=True, slots=True)
class TermsChanged:
    """Another version of the policy holds: a recomputation was asked for, or undone. `tickets` does not announce it."""

    version: str
    kind: Literal["terms_changed"] = "terms_changed"


What = (
    Opened
    | Admitted
    | Held
    | FactsChanged
    | Answered
    | CustomerReplied
    | WaitStarted
    | WaitEnded
    | DateAgreed
    | Resolved
    | Reopened
    | Closed
    | TermsChanged
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened: when it was true, and its place among what is known about the ticket.

    `version` is that among what `tickets` announced; `part` counts what was added here behind that.
    """

    occurred_at: datetime
    version: int
    what: What
    part: int = 0

    @property
    def takes_effect_at(self) -> datetime:
        """When it begins to matter: an admission may count from an earlier instant."""
        return self.what.counts_from if isinstance(self.what, Admitted) else self.occurred_at


def in_order(facts: Iterable[Fact], *, at: datetime) -> list[Fact]:
    """Return what was true at the instant `at`, in the order in which it took effect.

    The opening comes first whatever is dated before it. Of things at one instant whether the ticket is admitted comes
    first, and then the order in which they were announced decides.
    """
    known = [fact for fact in facts if fact.occurred_at <= at]
    opening = next((fact.occurred_at for fact in known if isinstance(fact.what, Opened)), None)
    if opening is None:
        return []

    def place(fact: Fact) -> tuple[datetime, int, int, int]:
        rank = 0 if isinstance(fact.what, Opened) else 1 if isinstance(fact.what, Admitted | Held) else 2
        return (opening if rank == 0 else max(fact.takes_effect_at, opening), rank, fact.version, fact.part)

    return sorted(known, key=place)
