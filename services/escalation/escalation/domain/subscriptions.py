"""What a partner system subscribes to: events by name or family, of some customers or all."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from plazo.kernel.errors import Fault

EVERYTHING = "*"


def check_patterns(patterns: Sequence[str], *, names: Collection[str]) -> list[Fault]:
    """List the patterns that no event of `names` can meet, so that a slip of the pen is not a silent subscription."""
    families = {f"{name.partition('.')[0]}.*" for name in names}
    known = {EVERYTHING, *families, *names}
    return [
        Fault(f"/events/{index}", f"there is no event {pattern!r}; expected *, one of {_listed(families)}, or a name")
        for index, pattern in enumerate(patterns)
        if pattern not in known
    ]


def is_event_wanted(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns (`*`, `ticket.*`, `ticket.opened`) means the event `name`."""
    meant = {EVERYTHING, f"{name.partition('.')[0]}.*", name}
    return any(pattern in meant for pattern in patterns)


def is_customer_wanted(customers: Collection[UUID], concerned: Collection[UUID]) -> bool:
    """Whether an event that concerns some customers is for a subscription to `customers`; none named means all.

    One that tells of two customers is for whoever may know of both.
    """
    return not customers or (bool(concerned) and set(concerned) <= set(customers))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
