"""Running one service process."""

import asyncio
import importlib
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from plazo.cli.terminal import IN_THE_WAY, fail
from plazo.runtime import logs
from plazo.runtime.settings import Settings
from plazo.runtime.web import create_app

_GRACE_SECONDS = 8  # below what a container is given between SIGTERM and SIGKILL
_LEAVE_SECONDS = 3  # of these; longer than the gateway keeps an idle connection (Caddyfile, keepalive)
_LOOK_SECONDS = 0.05


def run_service(service: str, *, smtp_listen: str | None = None) -> None:
    """Run a service until SIGTERM or SIGINT; what it holds is finished first."""
    settings = _settings(smtp_listen)
    host, _, port = settings.listen.rpartition(":")
    if not host or not port.isdecimal():
        fail(f"PLAZO_LISTEN is {settings.listen!r}; expected host:port", code=IN_THE_WAY)
    logs.configure(service=service, level=settings.log_level)
    app = create_app(importlib.import_module(f"{service}.app").SERVICE, settings=settings)

    def exit_code() -> int:
        return int(app.state.runtime.has_failed) if hasattr(app.state, "runtime") else 0

    # uvicorn stops in good order, and then raises the signal once more: to have been told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(exit_code()))
    server = uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=_GRACE_SECONDS - _LEAVE_SECONDS,
        timeout_keep_alive=75,
    )
    _Server(server).run()


class _Server(uvicorn.Server):
    """Leaves so that no request is lost on the way, and tells the app as soon as it is to stop.

    A stream that never ends would be waited for.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear a signal."""
        state = self.config.app.state  # type: ignore[union-attr]  # it is the app itself, not its name
        if not hasattr(state, "runtime"):
            # It still waits for its database, and holds nothing; what is raised here would be raised in that wait.
            os._exit(0)
        state.runtime.leaving.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, and let those there are be ended by their callers before they are closed.

        Every answer now says `Connection: close`, and the gateway gives up idle connections sooner than we do: a
        request that is on its way on one of them is answered.
        """
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LEAVE_SECONDS
        # uvicorn has no event for it.
        while self.server_state.connections and not self.force_exit and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)


def _settings(smtp_listen: str | None) -> Settings:
    try:
        return Settings() if smtp_listen is None else Settings(smtp_listen=smtp_listen)
    except ValidationError as invalid:
        faults = "; ".join(
            f"PLAZO_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in invalid.errors()
        )
        fail(f"the settings are not complete: {faults}", code=IN_THE_WAY)
