"""What comes in before anything is done: how much of it, how fast, and from whom.

Here stands what protects a process from callers it does not know yet; how much a known one may ask for is in
:mod:`plazo.runtime.limits`.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plazo.runtime import problems
from plazo.runtime.limits import Buckets, Shares
from plazo.runtime.parameters import dependants_of
from plazo.runtime.settings import Settings

#: The probes of operations: they are let in always, and not written into the log.
QUIET = ("/healthz", "/readyz", "/metrics")

_LONGEST_LENGTH = 18  # digits; more are no length but an attack
_LONGEST_ADDRESS = 8192  # bytes of path and query
_LARGEST_HEADERS = 32_768  # bytes of names and values
_MOST_HEADERS = 120
_MOST_KNOWN = 20_000  # credentials that were right, forgotten by age
_PAUSE_SECONDS = 10.0  # the longest between two pieces of a body
_SLOWEST_BYTES = 4096  # a second, of a body as a whole


class BodyLimit:
    """Refuses a body of more than `max_bytes`, one that is compressed, and one that takes for ever.

    A large one at once where its length is declared, else as it is read. `others` are the limits of paths that have
    another one, by regular expression. Compressed bodies are not taken: a small one may be endless. Where a route asks
    for a key, nothing is read of whoever has none that is right.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, others: Mapping[str, int], *, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._others = tuple((re.compile(pattern), limit) for pattern, limit in others.items())
        self._pause_seconds = pause_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, headers = scope["path"], Headers(scope=scope)
        max_bytes = next((limit for pattern, limit in self._others if pattern.fullmatch(path)), self._max_bytes)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > _LONGEST_LENGTH or int(declared) > max_bytes):
            await problems.too_large(Request(scope))(scope, receive, send)
            return
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            await problems.compressed(Request(scope))(scope, receive, send)
            return
        await self._app(scope, self._bounded(scope, receive, max_bytes=max_bytes), send)

    def _bounded(self, scope: Scope, receive: Receive, *, max_bytes: int) -> Receive:
        size, started, is_whole = 0, 0.0, False

        async def receive_within_limits() -> Message:
            nonlocal size, started, is_whole
            if is_whole:  # what is waited for now is that the caller leaves
                return await receive()
            if not started:
                await _admit(scope)
                started = monotonic()
            left = started + self._pause_seconds + size / _SLOWEST_BYTES - monotonic()
            try:
                async with asyncio.timeout(max(0.0, min(self._pause_seconds, left))):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"}) from None
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size > max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})
            return message

        return receive_within_limits


async def _admit(scope: Scope) -> None:
    """Ask the route's rule whether the caller may come in; FastAPI would read the body first."""
    dependant = getattr(scope.get("route"), "dependant", None)
    for one in dependants_of(dependant) if dependant is not None else ():
        if (admit := getattr(one.call, "admit", None)) is not None:
            await admit(Request(scope))


class Gate:
    """Refuses what is too much before anything is done.

    That is: a long address, large headers, more requests at once than this process or one address may have, and
    whoever was refused too often for want of a key that is right. Somebody whose key was right a moment ago is let in
    although others at the same address guess. Probes are let in always.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, seconds: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._at_once = settings.concurrent_requests
        self._inside = 0
        self._addresses = Shares(settings.concurrent_requests_of_one)
        refusals = settings.refusals_per_second_of_address
        self._refusals = Buckets(per_second=refusals, burst=refusals * settings.request_burst_seconds)
        self._known: OrderedDict[int, None] = OrderedDict()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        credentials = hash(next((value for name, value in scope["headers"] if name == b"authorization"), b""))
        address = address_of(scope)
        if (refusal := self._refusal(scope, address=address, credentials=credentials)) is not None:
            await refusal(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        leaving: list[Callable[[], None]] = []
        state["leaving"] = leaving

        async def send_and_learn(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == HTTPStatus.UNAUTHORIZED:
                    self._refusals.take(address, now=self._seconds())
                    self._known.pop(credentials, None)
                elif state.get("is_admitted"):
                    self._remember(credentials)
            await send(message)

        self._inside += 1
        self._addresses.enter(address)
        try:
            await self._app(scope, receive, send_and_learn)
        finally:
            self._inside -= 1
            self._addresses.leave(address)
            for leave in leaving:
                leave()

    def _refusal(self, scope: Scope, *, address: str, credentials: int) -> Response | None:
        request = Request(scope)
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _LONGEST_ADDRESS:
            detail = f"the address has more than {_LONGEST_ADDRESS} bytes"
            return problems.head_too_large(request, status=414, detail=detail)
        headers = scope["headers"]
        if len(headers) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > _LARGEST_HEADERS:
            detail = f"there are more than {_MOST_HEADERS} headers, or more than {_LARGEST_HEADERS} bytes of them"
            return problems.head_too_large(request, status=431, detail=detail)
        if self._inside >= self._at_once or self._addresses.is_full(address):
            return problems.too_busy(request)
        wait = self._refusals.wait(address, now=self._seconds())
        if wait and credentials not in self._known:
            return problems.refused_too_often(request, seconds=ceil(wait))
        return None

    def _remember(self, credentials: int) -> None:
        self._known[credentials] = None
        self._known.move_to_end(credentials)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def address_of(scope: Scope) -> str:
    """Return what counts as one address: of IPv6 the network, whose 2^64 addresses are one customer's."""
    return _network_of(caller_address(scope) or "")


@lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)
    return str(address)


def caller_address(scope: Scope) -> str | None:
    """Return the address a request came from: what a trusted proxy says, else who connected."""
    client = scope.get("client")
    return str(client[0])[:100] if client else None
