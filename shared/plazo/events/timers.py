"""How a service asks `sla-clock`, the only owner of time, to be told when an instant has come.

Each service that asks announces these as events of its own; `timer.fired` answers them all.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from plazo.events.envelope import Event


class TimerRequest(Event):
    """`sla-clock` shall say when `after` has passed since `start`. Aggregate: the ticket.

    `after` is a duration as policies word it, counted on `calendar` of the ticket's policy, or elapsed where there is
    none. `context` comes back with `timer.fired`.
    """

    name: ClassVar[str] = "timer.requested"

    ticket_id: UUID
    timer_id: UUID
    start: datetime
    after: str
    calendar: str | None
    context: dict[str, Any]


class TimerWithdrawal(Event):
    """The timer is not wanted any more. Aggregate: the ticket."""

    name: ClassVar[str] = "timer.withdrawn"

    ticket_id: UUID
    timer_id: UUID
