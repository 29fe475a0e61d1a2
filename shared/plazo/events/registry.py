"""Every event there is, by the service that announces it and its type."""

from plazo.events import billing, escalation, sla_clock, tickets
from plazo.events.envelope import Event

EVENTS: dict[tuple[str, str], type[Event]] = {
    (event.producer, event.type()): event
    for module in (tickets, sla_clock, escalation, billing)
    for event in module.EVENTS
}


def event_class(producer: str, type_: str) -> type[Event] | None:
    """Return the class of an event's payload, None for a type this version does not know."""
    return EVENTS.get((producer, type_))
