"""Who a child process runs as, and how its life is tied to ours.

PostgreSQL refuses to run as root. Started by root (a container, say), it runs as `nobody`, and where `nobody` cannot
reach the programs or the data (a checkout under a 0700 home) it is given the one capability to pass through, so that
no permission on any folder has to change. Started by anybody else nothing is switched.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plazo.local.errors import LocalStackError

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION = 0x20080522

# Loaded here and not between fork and exec, where loading could wait on a lock another thread held.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user to switch to. `passes_through` lets it read below folders that are closed to it."""

    uid: int
    gid: int
    passes_through: bool = False


def choose_identity(*paths: Path) -> Identity | None:
    """Return who PostgreSQL runs as so that it reaches `paths`, or None for ourselves.

    :raises LocalStackError: if we are root and there is no user `nobody`
    """
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise LocalStackError(
            "PostgreSQL does not run as root and this machine has no user `nobody`: run as an ordinary user"
        ) from None
    closed = any(not _is_open_to_all(part) for path in paths for part in (path.resolve(), *path.resolve().parents))
    return Identity(nobody.pw_uid, nobody.pw_gid, passes_through=closed)


def prepare_child(identity: Identity | None, *, death_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child does between fork and exec: switch to `identity` and ask to die with its parent."""
    parent = os.getpid()

    def prepare() -> None:
        if identity is not None:
            _switch(identity)
        if sys.platform == "linux":
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

    return prepare


def _is_open_to_all(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o001)


def _switch(identity: Identity) -> None:
    if identity.passes_through:
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(identity.gid)
    os.setuid(identity.uid)
    if identity.passes_through:
        _keep_pass_through()


def _keep_pass_through() -> None:
    """Keep CAP_DAC_OVERRIDE, and nothing else, over the coming exec. See capabilities(7), "ambient"."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; twice 32 bits
    if _LIBC.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_CAP_AMBIENT_RAISE")
