"""Running one service process."""

import importlib
import signal
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from plazo.cli.terminal import IN_THE_WAY, fail
from plazo.runtime import logs
from plazo.runtime.settings import Settings
from plazo.runtime.web import create_app

_GRACE_SECONDS = 8  # below what a container is given between SIGTERM and SIGKILL


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
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    _Server(server).run()


class _Server(uvicorn.Server):
    """Tells the app as soon as it is to stop: a stream that never ends would be waited for."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear a signal."""
        state = self.config.app.state  # type: ignore[union-attr]  # it is the app itself, not its name
        if hasattr(state, "runtime"):
            state.runtime.leaving.set()
        super().handle_exit(sig, frame)


def _settings(smtp_listen: str | None) -> Settings:
    try:
        return Settings() if smtp_listen is None else Settings(smtp_listen=smtp_listen)
    except ValidationError as invalid:
        faults = "; ".join(
            f"PLAZO_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in invalid.errors()
        )
        fail(f"the settings are not complete: {faults}", code=IN_THE_WAY)
