"""Loopback ports: which are free, and why an address cannot be taken."""

import errno
import random
import socket

from plazo.local.errors import LocalStackError

# Below the range the kernel gives to outgoing connections (32768 up on Linux, 49152 up elsewhere), so that a port
# stays ours while its server is down and comes back.
_FIRST, _LAST = 20000, 29999


def choose_port(*, taken: set[int] | None = None) -> int:
    """Return a loopback port nobody listens on, outside `taken`.

    :raises LocalStackError: if none was found
    """
    for port in random.sample(range(_FIRST, _LAST + 1), 200):
        if port not in (taken or set()) and bind_error("127.0.0.1", port) is None:
            return port
    raise LocalStackError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1: stop some programs")


def require_port(host: str, port: int) -> None:
    """Check that `host`:`port` can be listened on.

    :raises LocalStackError: saying why not and what to do
    """
    failed = bind_error(host, port)
    if failed is None:
        return
    reasons = {
        errno.EADDRINUSE: f"port {port} on {host} is in use by another program: stop it, or choose another with --port",
        errno.EACCES: f"port {port} needs more rights than this user has: choose one above 1023 with --port",
        errno.EADDRNOTAVAIL: f"{host} is no address of this machine: choose another with --host",
    }
    raise LocalStackError(reasons.get(failed.errno or 0, f"cannot listen on {host}:{port}: {failed}"))


def bind_error(host: str, port: int) -> OSError | None:
    """Try to bind `host`:`port`; return what went wrong, or None."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as failed:
        return failed
    return None
