"""Pauses: stretches of time that do not count, each with its cause."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.time import Period, format_instant, to_micros

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pause:
    """A half-open stretch `[start, end)` that does not count; `end` is None while it is still running.

    :raises InvalidInput: if an instant is naive or the end lies before the start
    """

    start: datetime
    end: datetime | None
    cause: str | None = None

    def __post_init__(self) -> None:
        if self.end is None:
            to_micros(self.start)
        else:
            Period(self.start, self.end)


def pause_spans(pauses: Iterable[Pause | Period], *, until: int | None = None) -> list[Span]:
    """Give pauses as integer spans, in their order; a running one ends at `until`.

    :raises InvalidInput: for every running pause, if there is no `until`
    """
    spans: list[Span] = []
    faults: list[Fault] = []
    for index, pause in enumerate(pauses):
        start = to_micros(pause.start)
        if pause.end is not None:
            spans.append((start, to_micros(pause.end)))
        elif until is not None:
            spans.append((start, max(start, until)))
        else:
            message = f"the pause of {format_instant(pause.start)} is still running: expected an end"
            faults.append(Fault(f"/pauses/{index}/end", message))
    if faults:
        raise InvalidInput("nothing is due while a pause is running", faults=faults)
    return spans
