"""One process of one of the four services, and the job that migrates its database."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from plazo.local.caddy import fetch_status
from plazo.local.process import Process


class Service(Process):
    """A process that listens on 127.0.0.1:`port`, ready when its `/readyz` says so."""

    ready_within = 180.0  # it waits for its database, and that for its migration
    poll_seconds = 0.1  # each question costs the core that the service needs to start
    stop_within = 12.0  # it gives open requests eight

    def __init__(
        self, name: str, *, port: int, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Describe the process; nothing runs yet."""
        super().__init__(name, command=command, log=log, environment=environment)
        self.port = port

    async def is_ready(self) -> bool:
        """Tell whether the service can reach what it needs."""
        return self.is_running and await fetch_status(f"http://127.0.0.1:{self.port}/readyz") == 200


def serve_command(service: str) -> list[str]:
    """Return the command line of one process of `service`."""
    return [sys.executable, "-m", "plazo.cli", "serve", service]


def migrate_command(service: str) -> list[str]:
    """Return the command line that migrates the database of `service`."""
    return [sys.executable, "-m", "plazo.cli", "migrate", service]


def replica_name(service: str, number: int) -> str:
    """Return the name of a process of `service`: `tickets`, then `tickets-2`, …"""
    return service if number == 0 else f"{service}-{number + 1}"
