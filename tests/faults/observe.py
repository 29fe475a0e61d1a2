"""What the product says it has become: read over HTTP, for each desk of the traffic."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from faults.offices import Office
from faults.receiver import Post
from faults.sending import present

_SERVICES = ("tickets", "sla-clock", "escalation", "billing")


@dataclass(slots=True)
class Observed:
    """A ticket as all four services show it. `timeline` has what its chain covers, `head` is where that ends.

    `contents` are the bytes of its files, None for one that does not come.
    """

    ticket: dict[str, Any]
    timeline: list[dict[str, Any]]
    head: str
    clocks: list[dict[str, Any]]
    escalations: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    charges: list[dict[str, Any]]
    work: list[dict[str, Any]]
    attachments: list[dict[str, Any]]
    contents: dict[str, bytes | None]
    appointments: list[dict[str, Any]]


@dataclass(slots=True)
class ObservedDesk:
    """A desk: its tickets by id, its accounts with their entries, whether its ledger agrees, what was set aside,
    what a partner was sent, who was warned of a low balance."""

    observed_at: datetime
    tickets: dict[str, Observed] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    dead_letters: list[str] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)


async def observe(office: Office) -> ObservedDesk:
    """Read everything about a desk."""
    read, token = office.sender, office.admin
    desk = ObservedDesk(observed_at=present())
    shown = await read.read_all("/v1/tickets", token=token)
    gate = asyncio.Semaphore(4)

    async def look(ticket_id: str) -> None:
        async with gate:
            desk.tickets[ticket_id] = await _observed(office, ticket_id)

    await asyncio.gather(*(look(one["ticket_id"]) for one in shown))
    desk.kept = await read.read_all("/v1/quarantine", token=token)
    for contract in office.contracts:
        for account in await read.read_all("/v1/accounts", token=token, contract=contract["contract_id"]):
            account_id = account["account_id"]
            desk.accounts[account_id] = await read.read(f"/v1/accounts/{account_id}", token=token)
            desk.entries[account_id] = await read.read_all(f"/v1/accounts/{account_id}/entries", token=token)
        quotes = await read.read_all("/v1/quotes", token=token, contract=contract["contract_id"])
        desk.quotes |= {one["quote_id"]: one for one in quotes}
    desk.ledger = await read.read("/v1/ledger/verification", token=token)
    messages = await read.read_all("/v1/messages", token=token)
    desk.warnings = [one for one in messages if one["event"] == "account.low"]
    for service in _SERVICES:
        letters = await read.read_all(f"/{service}/v1/dead-letters", token=token)
        desk.dead_letters += [f"{service}: {one.get('type')} {one.get('reason')}" for one in letters]
    if office.receiver is not None:
        desk.posts = [*office.receiver.posts[office.name]]
    return desk


async def _observed(office: Office, ticket_id: str) -> Observed:
    read, token = office.sender, office.admin
    evidence = await read.read(f"/v1/tickets/{ticket_id}/evidence", token=token)
    about = {"token": token, "ticket": ticket_id}
    attachments = await read.read_all(f"/v1/tickets/{ticket_id}/attachments", token=token)
    names = [one["attachment_id"] for one in attachments]
    return Observed(
        ticket=evidence["ticket"],
        timeline=evidence["timeline"],
        head=evidence["head"],
        clocks=await read.read_all("/v1/clocks", **about),
        escalations=await read.read_all("/v1/escalations", **about),
        messages=await read.read_all("/v1/messages", **about),
        charges=await read.read_all("/v1/charges", **about),
        work=await read.read_all("/v1/work", **about),
        attachments=attachments,
        contents={name: await read.read_file(f"/v1/attachments/{name}/content", token=token) for name in names},
        appointments=await read.read(f"/v1/tickets/{ticket_id}/appointments", token=token),
    )
