"""How an event is posted: over a connection to an address that was checked, and with an answer that is bounded."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpcore
import httpx

from escalation.domain.addresses import AddressRefused, Network, check_addresses, read_url
from escalation.domain.posting import Answer

_CONNECT_SECONDS = 5.0
_WHOLE_SECONDS = 15.0
_MOST_BYTES = 16_384
_EXCERPT = 500


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks what it leads to, and connects to just that.

    A name that changes its address between the check and the connection does not get past it.
    """

    def __init__(self, *, scheme: str, allowed: Sequence[Network]) -> None:
        self._scheme = scheme
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that takes the connection. :raises AddressRefused: for any bad one"""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found))
        check_addresses(addresses, scheme=self._scheme, allowed=self._allowed)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002  # httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no webhook goes to a socket of this machine."""
        raise AddressRefused(path)

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts to connect."""
        await asyncio.sleep(seconds)


class WebhookPost:
    """Posts events, each over a connection of its own: no state is kept between two partners."""

    def __init__(self, allowed: Sequence[Network], *, seconds: float = _WHOLE_SECONDS) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._tls: ssl.SSLContext | None = None

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body; whatever goes wrong is an answer. A redirection is not followed."""
        started = time.monotonic()

        def failed(words: str) -> Answer:
            return Answer(None, _since(started), failure=words[:_EXCERPT])

        try:
            place = read_url(url)
            async with asyncio.timeout(self._seconds):
                status, content = await self._post(url, place.scheme, headers=headers, body=body)
        except TimeoutError:
            return failed(f"no whole answer within {self._seconds:g} s")
        except AddressRefused as error:
            return failed(f"not sent: {error}")
        except socket.gaierror as error:
            return failed(f"the name cannot be resolved: {error.strerror or error}")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError) as error:
            return failed(f"{type(error).__name__}: {error}")
        except AttributeError as error:  # anyio, where the connection is gone before it has looked at its socket
            return failed(f"the connection was lost as it was made: {error}")
        excerpt = "".join(one if one.isprintable() else " " for one in content.decode("utf-8", "replace"))
        return Answer(status, _since(started), excerpt=excerpt[:_EXCERPT])

    async def _post(self, url: str, scheme: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        backend = CheckedBackend(scheme=scheme, allowed=self._allowed)
        limits = {"connect": _CONNECT_SECONDS, "read": self._seconds, "write": self._seconds, "pool": None}
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._context(), network_backend=backend, max_connections=1, retries=0
            ) as pool,
            pool.stream(
                "POST",
                url,
                headers=[("Host", httpx.URL(url).netloc.decode()), *headers.items()],
                content=body,
                extensions={"timeout": limits},
            ) as response,
        ):
            content = b""
            async for part in response.aiter_stream():
                content += part
                if len(content) >= _MOST_BYTES:
                    break
            return response.status, content[:_MOST_BYTES]

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
