"""What `plazo doctor` looks at: everything a first `plazo up` needs of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plazo.local.errors import LocalStackError
from plazo.local.folder import read_state
from plazo.local.ports import require_port
from plazo.local.wheels import find_program

_OLDEST_PYTHON = (3, 11)
_WANTED_BYTES = 1 << 30
_RELEASED_AT = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `detail` says what was found, or what to do where `is_ok` is false."""

    name: str
    is_ok: bool
    detail: str


def run_checks(data: Path, port: int, *, now: datetime, host: str = "127.0.0.1") -> list[Check]:
    """Look at everything, also after something failed. Changes nothing."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("Python", _look_at_python),
        ("virtual environment", _look_at_environment),
        ("PostgreSQL", lambda: _run_version("postgres", "--version")),
        ("NATS", lambda: _run_version("nats-server", "--version")),
        ("Caddy", lambda: _run_version("caddy", "version")),
        ("data folder", lambda: _look_at_folder(data)),
        ("disk", lambda: _look_at_disk(data)),
        ("port", lambda: _look_at_port(data, host, port)),
        ("time zones", _look_at_zones),
        ("text", _look_at_text),
        ("clock", lambda: _look_at_clock(now)),
    ]
    return [_check(name, look) for name, look in looks]


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, is_ok=True, detail=look())
    except LocalStackError as failed:
        return Check(name, is_ok=False, detail=failed.message)


def _look_at_python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        raise LocalStackError(f"{found} is too old: 3.11 or later is needed")
    return found


def _look_at_environment() -> str:
    if sys.prefix == sys.base_prefix:
        raise LocalStackError("Plazo runs outside a virtual environment: use `make run`, or .venv/bin/plazo")
    return sys.prefix


def _run_version(program: str, argument: str) -> str:
    path = find_program(program)
    try:
        done = subprocess.run([path, argument], capture_output=True, text=True, timeout=20, check=True, cwd="/")
    except (OSError, subprocess.SubprocessError) as failed:
        raise LocalStackError(f"{path} does not run on this machine: {failed}") from failed
    return done.stdout.strip().split("\n")[0]


def _look_at_folder(data: Path) -> str:
    existing = _nearest_existing(data)
    try:
        with TemporaryFile(dir=existing):
            return str(data.absolute())
    except OSError as failed:
        raise LocalStackError(f"cannot write to {existing} ({failed.strerror}): choose another with --data") from failed


def _look_at_disk(data: Path) -> str:
    free = shutil.disk_usage(_nearest_existing(data)).free
    found = f"{free / (1 << 30):.1f} GiB free"
    if free < _WANTED_BYTES:
        raise LocalStackError(f"{found} for {data}: 1 GiB is wanted")
    return found


def _look_at_port(data: Path, host: str, port: int) -> str:
    state = read_state(data)
    if state is not None and state.address.endswith(f":{port}") and _is_alive(state.pid):
        return f"{state.address}, where Plazo already runs (process {state.pid})"
    require_port(host, port)
    return f"{host}:{port} is free"


def _look_at_zones() -> str:
    try:
        # Winter and summer differ: the zone is a real one, not a stand-in for UTC.
        winter, summer = (datetime(2026, month, 1, tzinfo=ZoneInfo("Europe/Madrid")).utcoffset() for month in (1, 7))
    except ZoneInfoNotFoundError:
        raise LocalStackError("no time zone data: install the package tzdata") from None
    if (winter, summer) != (timedelta(hours=1), timedelta(hours=2)):
        raise LocalStackError("the time zone data is wrong for Europe/Madrid: reinstall the package tzdata")
    return "Europe/Madrid is known, with its summer time"


def _look_at_text() -> str:
    if sys.getfilesystemencoding() != "utf-8":
        raise LocalStackError(f"text is {sys.getfilesystemencoding()} here: set PYTHONUTF8=1")
    return "UTF-8, whatever the locale"


def _look_at_clock(now: datetime) -> str:
    if now < _RELEASED_AT:
        raise LocalStackError(f"this machine believes it is {now:%Y-%m-%d}, before Plazo was written: set its clock")
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _nearest_existing(path: Path) -> Path:
    path = path.absolute()
    return next(part for part in (path, *path.parents) if part.exists())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
