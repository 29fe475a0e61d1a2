"""How much a parser may take: examples, seconds of the processor, bytes of memory."""

import os
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

T = TypeVar("T")

#: `PLAZO_FUZZ=long` looks much further than a test run has time for.
LONG = os.environ.get("PLAZO_FUZZ") == "long"


def examples(count: int) -> settings:
    """Return settings for so many examples, two hundred times as many in a long run."""
    return settings(
        max_examples=count * (200 if LONG else 1),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


class TookTooLong(Exception):
    """The parser was stopped: it had used up its time."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Stop what runs in the block once the processor has worked on it for so long, however busy the machine is."""

    def stop(_number: int, _frame: Any) -> None:
        raise TookTooLong(f"more than {seconds} s of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(parse: Callable[[], T], *refusals: type[Exception], seconds: float = 1.0) -> T | None:
    """Return what a parser made of its input; None if it was refused, which must say why."""
    try:
        with within(seconds):
            return parse()
    except TookTooLong:
        raise
    except refusals as refused:
        if not str(refused).strip():
            raise AssertionError(f"{type(refused).__name__} says nothing") from refused
        return None


def peak_memory(parse: Callable[[], object]) -> int:
    """Return how many bytes were held at most while it ran."""
    tracemalloc.start()
    try:
        parse()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def damaged(draw: Callable[[Any], Any], text: bytes, pieces: Any) -> bytes:
    """Return a text with a few parts of it removed, repeated, replaced or put elsewhere."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["remove", "repeat", "replace", "insert"])):
            case "remove":
                text = text[:start] + text[end:]
            case "repeat":
                text = text[:end] + text[start:end] * draw(st.integers(1, 30)) + text[end:]
            case "replace":
                text = text[:start] + draw(pieces) + text[end:]
            case "insert":
                text = text[:start] + draw(pieces) + text[start:]
    return text
