"""Results kept at hand, as many as weigh no more than was said."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What was made of texts; what was used longest ago goes first, once the texts have more than `most` characters.

    A count would not do where one text may be a thousand times as long as another. Safe to use from several threads.
    """

    def __init__(self, make: Callable[[str], T], *, most: int) -> None:
        self._make = make
        self._most = most
        self._found: OrderedDict[str, T] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    def __call__(self, text: str) -> T:
        """Return what is made of a text. What `make` raises is raised, and not kept."""
        with self._lock:
            if text in self._found:
                self._found.move_to_end(text)
                return self._found[text]
        made = self._make(text)
        with self._lock:
            if text not in self._found:
                self._found[text] = made
                self._weight += len(text)
            while self._weight > self._most:
                oldest, _ = self._found.popitem(last=False)
                self._weight -= len(oldest)
        return made
