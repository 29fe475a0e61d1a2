"""What a customer's key is answered names nobody of the desk, and no rate: at the edge, so that no route forgets it.

A person of the desk stands in an answer as `role: name` where somebody did something, or by name where a ticket is
assigned. The role is left, the name is not.
"""

import json
import re
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STAFF = re.compile(r"(agent|manager|administrator|integration): .*", re.DOTALL)
_DOERS = re.compile(r"actor|by|author|\w+_by|\w+_to")
_HIDDEN = frozenset({"assignee", "agent", "agent_id", "agent_name", "rate", "rates", "overage_rate"})


def discreet(value: Any) -> Any:
    """Return what may be shown to a customer of something that is shown to the desk."""
    if isinstance(value, dict):
        return {name: _field(name, one) for name, one in value.items()}
    if isinstance(value, list):
        return [discreet(one) for one in value]
    return value


def _field(name: str, value: Any) -> Any:
    if name in _HIDDEN:
        return None
    if isinstance(value, str) and _DOERS.fullmatch(name) and (match := _STAFF.fullmatch(value)):
        return match[1]
    return discreet(value)


class Discretion:
    """Makes the JSON discreet that is answered to a customer's key; see :attr:`plazo.runtime.call.Call`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def send_discreetly(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_for_customer(scope, message):
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = _discreet_body(b"".join(parts))
                    MutableHeaders(scope=start)["content-length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, send_discreetly)


def _is_for_customer(scope: Scope, start: Message) -> bool:
    is_json = MutableHeaders(scope=start).get("content-type", "").partition(";")[0] == "application/json"
    return is_json and bool(scope["state"].get("is_customer"))


def _discreet_body(body: bytes) -> bytes:
    if not body:
        return body
    return json.dumps(discreet(json.loads(body)), ensure_ascii=False, separators=(",", ":")).encode()
