"""The gateway: Caddy from its wheel, running the routing that compose runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from plazo.local.process import Process
from plazo.local.wheels import find_program

ROUTING = Path(__file__).with_name("Caddyfile")


class Caddy(Process):
    """One address, `host`:`port`, for the four services."""

    def __init__(self, data: Path, *, host: str, port: int, upstreams: Mapping[str, Sequence[str]]) -> None:
        """Describe the gateway. `upstreams` names, for each service (`sla_clock`), the host:port of its replicas.

        :raises LocalStackError: if the wheel is missing
        """
        data = data.resolve()
        super().__init__(
            "caddy",
            command=[find_program("caddy"), "run", "--adapter", "caddyfile", "--config", ROUTING],
            log=data / "logs" / "caddy.log",
            environment={
                "PLAZO_GATEWAY_HOST": host,
                "PLAZO_GATEWAY_PORT": str(port),
                # Where Caddy would keep certificates and its last configuration: never in the user's home.
                "XDG_DATA_HOME": str(data / "caddy"),
                "XDG_CONFIG_HOME": str(data / "caddy"),
                **{f"{service.upper()}_UPSTREAM": " ".join(replicas) for service, replicas in upstreams.items()},
            },
        )
        self.address = f"http://{dialable_host(host)}:{port}"

    async def is_ready(self) -> bool:
        """Tell whether the gateway answers for itself."""
        return self.is_running and await fetch_status(f"{self.address}/") == httpx.codes.OK


async def fetch_status(url: str) -> int | None:
    """Return the HTTP status of `url`, or None if nobody answers within a second."""
    try:
        # Plain HTTP on this machine: loading certificates would cost 30 ms of a core at every question.
        async with httpx.AsyncClient(timeout=1, trust_env=False, verify=False) as client:  # noqa: S501
            return (await client.get(url)).status_code
    except httpx.HTTPError:
        return None


def dialable_host(host: str) -> str:
    """Return what to call a listening address by: `0.0.0.0` is everywhere, hence also here."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
