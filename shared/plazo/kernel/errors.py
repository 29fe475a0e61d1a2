"""What can go wrong, by kind. The HTTP status of a kind is decided once, in :mod:`plazo.runtime.problems`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The few ways a request can fail; every :class:`PlazoError` has one."""

    INVALID = "invalid"  # the input is wrong whatever the state
    UNAUTHENTICATED = "unauthenticated"  # nobody is known to be asking
    FORBIDDEN = "forbidden"  # somebody known may not ask this
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"  # the input is right, the state is not
    STALE = "stale"  # the caller's version is no longer the current one
    UNAVAILABLE = "unavailable"  # try again later
    TOO_LARGE = "too_large"  # more bytes than the settings allow
    TOO_MANY = "too_many"  # more requests than the settings allow; `details` say in how many seconds to come back


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input, and where.

    `pointer` is a JSON pointer (RFC 6901) into the input, "" for the whole; `line` is 1-based, for documents
    written by hand; `clause` names the clause of the contract that asks for it, where one does.
    """

    pointer: str
    message: str
    line: int | None = None
    clause: str | None = None


class PlazoError(Exception):
    """An anticipated failure. `code` is stable: it becomes the last part of the problem's `type`.

    `details` are further members of the problem, for programs: names of their own, values as JSON has them.

    Subclasses live beside the function that raises them and set `kind` and `code`.
    """

    kind: Kind = Kind.INVALID
    code: str = "invalid"

    def __init__(
        self,
        message: str,
        *,
        faults: Sequence[Fault] = (),
        clause: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.faults = tuple(faults)
        self.clause = clause
        self.details = dict(details or {})


class InvalidInput(PlazoError):
    """The input has faults; all of them are listed."""

    kind = Kind.INVALID
    code = "invalid-input"


class NotFound(PlazoError):
    """Nothing of that kind with that id, in this desk."""

    kind = Kind.NOT_FOUND
    code = "not-found"
