"""The data folder of a local stack: ours alone while we run, and `state.json` in it for who wants to look."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from plazo.local.errors import LocalStackError


@dataclass(frozen=True, slots=True)
class ProgramState:
    """One program of the stack. `port` is where it listens; `pid` is None while it is down."""

    pid: int | None
    port: int
    log: str


@dataclass(frozen=True, slots=True)
class StackState:
    """What runs where: the content of `state.json`."""

    address: str
    pid: int
    programs: dict[str, ProgramState]


class DataFolder:
    """A folder that one stack at a time may enter."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it is made when entered."""
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._lock: TextIO | None = None

    def enter(self, *, address: str) -> None:
        """Make the folder ours. `address` is told to whoever comes second.

        :raises LocalStackError: if it cannot be written, or another stack is in it
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for private in (self.logs, self.path / "attachments"):
                private.mkdir(exist_ok=True)
                private.chmod(0o700)
            lock = (self.path / "lock").open("a+", encoding="utf-8")
        except OSError as failed:
            raise LocalStackError(
                f"cannot write to the data folder {self.path} ({failed.strerror}): "
                "give this user the right to, or choose another with --data"
            ) from failed
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            lock.close()
            raise LocalStackError(
                f"Plazo already runs on {self.path} ({owner}): use that one, stop it, or choose another with --data"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {address}\n")
        lock.flush()
        self._lock = lock

    def leave(self) -> None:
        """Let others in. Leaving twice is no error."""
        if self._lock is not None:
            self._state_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def save_state(self, state: StackState) -> None:
        """Write `state.json`; a reader sees the old one or the new one, never half."""
        draft = self._state_file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
        draft.replace(self._state_file)

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"


def read_state(data: Path) -> StackState | None:
    """Return what the stack in `data` says of itself, or None if none runs there."""
    try:
        found = json.loads((data / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    programs = {name: ProgramState(**program) for name, program in found["programs"].items()}
    return StackState(address=found["address"], pid=found["pid"], programs=programs)
