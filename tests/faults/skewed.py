"""`python -m faults.skewed SERVICE FOLDER`: a service on a machine whose clock is turned back and forth.

The file in the folder that is named like the port of the process holds the offset in seconds, and is read anew every
tenth of a second.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plazo.cli.serve import run_service
from plazo.runtime import clock

_LOOK_SECONDS = 0.1


def set_offset(folder: Path, port: int, offset: timedelta) -> None:
    """Turn the clock of the process that listens on `port`."""
    draft = folder / f"{port}.new"
    draft.write_text(str(offset.total_seconds()), encoding="utf-8")
    draft.replace(folder / str(port))


class Skew:
    """The offset of this process, as its file says."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._look_at = 0.0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """How far the clock is off."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            try:
                self._seconds = float(self._file.read_text(encoding="utf-8"))
            except FileNotFoundError:
                self._seconds = 0.0
        return self._seconds


def skew_machine(skew: Skew) -> None:
    """Let everything in this process that asks the machine for the time get a wrong answer."""
    right_time, right_time_ns = time.time, time.time_ns

    class SkewedDatetime(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "SkewedDatetime":
            assert tz is UTC
            return cls.fromtimestamp(right_time() + skew.seconds, UTC)

    clock.datetime = SkewedDatetime  # type: ignore[misc]
    time.time = lambda: right_time() + skew.seconds
    time.time_ns = lambda: right_time_ns() + int(skew.seconds * 1_000_000_000)


def main() -> None:
    """Run the service."""
    service, folder = sys.argv[1:]
    skew_machine(Skew(Path(folder) / os.environ["PLAZO_LISTEN"].rpartition(":")[2]))
    run_service(service)


if __name__ == "__main__":
    main()
