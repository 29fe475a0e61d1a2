"""A child process with a log: launched, awaited until ready, stopped within a deadline.

Use it from one thread that outlives the child: Linux ties the child's life to the thread that launched it.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from plazo.local.errors import LocalStackError
from plazo.local.identity import Identity, prepare_child

_KEPT_LOGS = 3
_POLL_SECONDS = 0.03


class Process:
    """One program. Subclasses say how to prepare it and when it is ready."""

    stop_signal = signal.SIGTERM
    ready_within = 90.0  # seconds, on a busy machine
    stop_within = 5.0  # seconds, then SIGKILL
    poll_seconds = _POLL_SECONDS  # between two questions whether it is ready

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str | Path] = (),
        log: Path,
        environment: Mapping[str, str] | None = None,
        identity: Identity | None = None,
    ) -> None:
        """Describe the program; nothing runs yet. `environment` is added to ours."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self.identity = identity
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the program runs, ready or not."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last run ended: the exit code, or minus the signal; None while it runs or before the first."""
        return None if self._child is None else self._child.poll()

    async def prepare(self) -> None:
        """Do what has to be done before each launch. Nothing, unless a subclass says otherwise."""

    async def is_ready(self) -> bool:
        """Tell whether the program serves. Subclasses ask it."""
        return self.is_running

    async def start(self) -> None:
        """Launch and wait until ready; where it runs already, only wait.

        :raises LocalStackError: if it ends or is not ready in time; the end of its log is in the message
        """
        if not self.is_running:
            await self.prepare()
            self.launch()
        deadline = monotonic() + self.ready_within
        while not await self.is_ready():
            if not self.is_running:
                raise LocalStackError(f"{self.name} {describe_exit(self.exit_code)} while starting; {self._log_end()}")
            if monotonic() > deadline:
                await self.stop()
                raise LocalStackError(
                    f"{self.name} was not ready after {self.ready_within:g} seconds; {self._log_end()}"
                )
            await asyncio.sleep(self.poll_seconds)

    def launch(self) -> None:
        """Launch without waiting. :raises LocalStackError: if the program cannot be executed."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    [os.fspath(part) for part in self.command],
                    cwd="/",  # ours may be closed to the user the child runs as
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.environment},
                    start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in order
                    # What it calls takes no lock that a thread of ours could hold.
                    preexec_fn=prepare_child(self.identity, death_signal=self.stop_signal),  # noqa: PLW1509
                )
            except (OSError, subprocess.SubprocessError) as failed:
                raise LocalStackError(f"cannot run {self.command[0]} for {self.name}: {failed}") from failed

    async def ended(self) -> int:
        """Wait until the program is gone; return its exit code, or minus the signal."""
        while self.is_running:  # noqa: ASYNC110 - the kernel, not a task of ours, knows when
            await asyncio.sleep(_POLL_SECONDS)
        return self.exit_code or 0

    async def stop(self) -> None:
        """Ask it to stop, wait, and kill what has not gone by the deadline. Stopping twice is no error."""
        if self._child is None:
            return
        if self.is_running:
            self._child.send_signal(self.stop_signal)
        try:
            await asyncio.wait_for(self.ended(), self.stop_within)
        except TimeoutError:
            self.kill()
            await self.ended()

    def kill(self) -> None:
        """Kill it at once, with whatever it has started."""
        if self._child is not None and self.is_running:
            os.killpg(self._child.pid, signal.SIGKILL)

    def _log_end(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
        return "\n  ".join([f"the end of {self.log}:", *(lines or ["(empty)"])])


def describe_exit(code: int | None) -> str:
    """Put an exit code in words: `stopped with exit code 3`, `was killed by SIGKILL`."""
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"stopped with exit code {code}"


def rotate_log(log: Path) -> None:
    """Set the log of the last run aside as `<name>.log.1`, keeping three such."""
    for number in range(_KEPT_LOGS, 0, -1):
        older = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
