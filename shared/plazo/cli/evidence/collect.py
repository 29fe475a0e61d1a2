"""Asking the four services for what they know of a ticket, over the public API."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from plazo.cli.evidence.pack import make_pack
from plazo.kernel.errors import Kind, NotFound, PlazoError

_LANGUAGES = ("es", "en")


class NoEvidence(PlazoError):
    """A service did not answer, or refused."""

    kind = Kind.UNAVAILABLE
    code = "no-evidence"


async def collect_pack(
    ticket: str, *, url: str, key: str, now: datetime, transport: httpx.AsyncBaseTransport | None = None
) -> dict[str, Any]:
    """Return the evidence of a ticket, by its number or id.

    :raises NotFound: for an unknown ticket
    :raises NoEvidence: saying which call was refused
    """
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, transport=transport) as client:
        ticket_id = await _find_ticket(client, ticket)
        core = await _get(client, f"/v1/tickets/{ticket_id}/evidence")
        clocks = await _list(client, "/v1/clocks", ticket=ticket_id)
        for clock in clocks:
            path = f"/v1/clocks/{clock['clock_id']}/explanation"
            clock["explanation"] = {one: await _text(client, path, language=one) for one in _LANGUAGES}
        sections = {
            "ticket": core["ticket"],
            "decisions": core["decisions"],
            "attachments": core["attachments"],
            "timeline": core["timeline"],
            "policy": core["policy"],
            "clocks": clocks,
            "charges": await _list(client, "/v1/charges", ticket=ticket_id),
            "escalations": await _list(client, "/v1/escalations", ticket=ticket_id),
            "messages": await _list(client, "/v1/messages", ticket=ticket_id),
        }
    return make_pack(sections, head=core["head"], now=now)


async def _find_ticket(client: httpx.AsyncClient, ticket: str) -> str:
    try:
        return str(UUID(ticket))
    except ValueError:
        hits = await _get(client, "/v1/search", q=ticket, limit=50)
    for hit in hits:
        if hit["ticket"]["number"].lower() == ticket.strip().lower():
            return str(hit["ticket"]["ticket_id"])
    raise NotFound(f"there is no ticket {ticket}")


async def _list(client: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    items: list[Any] = []
    while True:
        page = await _get(client, path, **query)
        items += page["items"]
        if page.get("next_cursor") is None:
            return items
        query["cursor"] = page["next_cursor"]


async def _get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    return (await _ask(client, path, accept="application/json", **query)).json()


async def _text(client: httpx.AsyncClient, path: str, **query: Any) -> str:
    return (await _ask(client, path, accept="text/plain", **query)).text


async def _ask(client: httpx.AsyncClient, path: str, *, accept: str, **query: Any) -> httpx.Response:
    try:
        response = await client.get(path, params=query, headers={"Accept": accept})
    except httpx.HTTPError as error:
        raise NoEvidence(f"{client.base_url} does not answer: {error}") from error
    if response.status_code == 404:
        raise NotFound(f"{path}: {_detail(response)}")
    if not response.is_success:
        raise NoEvidence(f"{path} answered {response.status_code}: {_detail(response)}")
    return response


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
