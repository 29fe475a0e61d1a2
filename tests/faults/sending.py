"""Sending a request until it is answered: the identical one, with the same key, while nobody knows its fate."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from faults.accepted import Accepted, Exchange

#: What says nothing about the fate of a request: it is sent again.
UNDECIDED = (429, 500, 502, 503, 504)
PATIENCE_SECONDS = 240.0
_FILE_SECONDS = 20.0  # they are read once all is well again
_TIMEOUT = httpx.Timeout(45.0, connect=5.0)


class NobodyAnswers(AssertionError):
    """A request has been repeated for longer than any fault lasts."""


def present() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Sender:
    """Sends the requests of one desk, one after the other, and keeps what was answered."""

    address: str
    desk: str
    accepted: Accepted
    transport: httpx.AsyncBaseTransport | None = None
    patience: float = PATIENCE_SECONDS
    _client: httpx.AsyncClient | None = field(default=None)

    @property
    def client(self) -> httpx.AsyncClient:
        """The connection, made with the first request."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self.address, timeout=_TIMEOUT, transport=self.transport, trust_env=False
            )
        return self._client

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(
        self,
        action: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None,
        who: str = "desk",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        not_yet: tuple[int, ...] = (),
        prefer_wait: int = 0,
    ) -> Exchange:
        """Send a request until it is answered, and keep the answer.

        `not_yet` are statuses that say another service has not heard of what this one is about: it is asked again.
        """
        content = (
            body if isinstance(body, bytes | None) else json.dumps(body, ensure_ascii=False, sort_keys=True).encode()
        )
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if content is not None:
            sent.setdefault("Content-Type", f"application/{'octet-stream' if isinstance(body, bytes) else 'json'}")
        if key is not None:
            sent["Idempotency-Key"] = key
        if prefer_wait:
            sent["Prefer"] = f"wait={prefer_wait}"
        unanswered: list[str] = []
        sent_at = present()
        response = await self._until_answered(method, path, content, sent, unanswered, not_yet)
        exchange = Exchange(
            number=len(self.accepted.exchanges),
            desk=self.desk,
            action=action,
            who=who,
            method=method,
            path=path,
            body=body,
            key=key,
            status=response.status_code,
            answer=_json_of(response),
            unanswered=tuple(unanswered),
            sent_at=sent_at,
            answered_at=present(),
        )
        self.accepted.add(exchange)
        return exchange

    async def read(self, path: str, *, token: str, **parameters: Any) -> Any:
        """Read something until there is an answer; None if there is no such thing. Reading is not recorded."""
        headers = {"Authorization": f"Bearer {token}"}
        query = str(httpx.QueryParams({name: value for name, value in parameters.items() if value is not None}))
        target = f"{path}?{query}" if query else path
        response = await self._until_answered("GET", target, None, headers, [], ())
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        assert response.is_success, f"GET {target}\n{response.status_code} {response.text}"
        return _json_of(response)

    async def read_all(self, path: str, *, token: str, **parameters: Any) -> list[Any]:
        """Read a whole list, page by page."""
        items: list[Any] = []
        cursor = None
        while True:
            page = await self.read(path, token=token, limit=200, cursor=cursor, **parameters)
            if page is None:
                return items
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def read_file(self, path: str, *, token: str) -> bytes | None:
        """Read a file; None if it does not come whole, however often it is asked for."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            response = await self._until_answered("GET", path, None, headers, [], (), patience=_FILE_SECONDS)
        except NobodyAnswers:
            return None
        return response.content if response.is_success else None

    async def try_key(self, path: str, token: str) -> None:
        """Read something until its service has heard of an API key."""
        await self._until_answered("GET", path, None, {"Authorization": f"Bearer {token}"}, [], (401,))

    async def _until_answered(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        unanswered: list[str],
        not_yet: tuple[int, ...],
        patience: float | None = None,
    ) -> httpx.Response:
        loop = asyncio.get_running_loop()
        patience = patience or self.patience
        deadline, pause = loop.time() + patience, 0.02
        while True:
            try:
                response = await self.client.request(method, path, content=content, headers=dict(headers))
            except (httpx.TransportError, AttributeError) as error:  # the latter of anyio, for a socket that is gone
                unanswered.append(type(error).__name__)
                await self.close()
            else:
                if response.status_code not in UNDECIDED and response.status_code not in not_yet:
                    return response
                unanswered.append(str(response.status_code))
            if loop.time() > deadline:
                raise NobodyAnswers(f"{self.desk}: {method} {path} was not answered in {patience:.0f} s: {unanswered}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def _json_of(response: httpx.Response) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return response.text
    return response.json()
