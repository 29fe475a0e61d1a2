"""The first story: one ticket under each of the five contracts, from the request to the charge.

Everything is asked over the public API. Each step carries an Idempotency-Key made from the story and the step, and is
repeated while the system is away, so the story ends the same whatever is killed on the way.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.table import Table

from plazo.kernel.errors import Kind, PlazoError
from plazo.policies import policy_names, policy_text

STARTS_AT = "2026-04-30T14:00:00Z"  # a Thursday; Friday, 1 May, is a holiday in all five places
ANSWERED_AT = "2026-05-05T14:00:00Z"
SOLVED_AT = "2026-05-05T17:00:00Z"
_PATIENCE_SECONDS = 90.0
_AWAY = (502, 503, 504)


class StoryFailed(PlazoError):
    """The system refused a step of the story, or stayed away too long."""

    kind = Kind.CONFLICT
    code = "story-failed"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One contract's ticket: what the customer asks, in the contract's own situation."""

    policy: str
    title: str
    timezone: str
    contract: Mapping[str, Any]
    ticket: Mapping[str, Any]
    resolution: str
    customer: Mapping[str, Any] = field(default_factory=dict)
    units: int = 0
    minutes: int = 125


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        policy="expande",
        title="eXpande, Valencia: the box office cannot sell",
        timezone="Europe/Madrid",
        customer={"name": "Cines del Puerto", "segment": "cinema"},
        contract={"plan": "basic"},
        ticket={
            "channel": "portal",
            "subject": "No se pueden vender entradas en taquilla",
            "description": "La taquilla da error al cobrar y no se pueden vender entradas para la sesión de hoy.",
            "facts": {"sales_impossible": True},
        },
        resolution="fix",
    ),
    Chapter(
        policy="ireo",
        title="IREO, Madrid: a limited function before a long weekend",
        timezone="Europe/Madrid",
        customer={"name": "Distribuciones Alcalá"},
        contract={"plan": "standard"},
        ticket={
            "channel": "email",
            "subject": "El informe semanal sale incompleto",
            "description": "Desde la última actualización el informe semanal no incluye a todos los usuarios.",
            "facts": {"impact": "limited"},
        },
        resolution="fix",
    ),
    Chapter(
        policy="prodequa",
        title="PRODEQUA, Lima: the web application is out of service",
        timezone="America/Lima",
        customer={"name": "Comercial Miraflores"},
        contract={"plan": "basic"},
        ticket={
            "channel": "email",
            "subject": "La aplicación web no funciona",
            "description": "La aplicación está fuera de servicio y no existe camino para trabajar.",
            "facts": {"out_of_service": True},
        },
        resolution="fix",
    ),
    Chapter(
        policy="skedu",
        title="Skedu, Chile: cannot log in",
        timezone="-04:00",
        customer={"name": "Centro Dental Ñuñoa"},
        contract={},
        ticket={
            "channel": "chat",
            "subject": "No puedo iniciar sesión",
            "description": "La recuperación de contraseña no envía el correo.",
            "facts": {"category": "login"},
        },
        resolution="fix",
    ),
    Chapter(
        policy="smartcloud",
        title="SmartCloud Solutions, Caracas: two units of seven",
        timezone="America/Caracas",
        customer={"name": "Inversiones El Ávila"},
        contract={"plan": "dedicated"},
        ticket={
            "channel": "portal",
            "subject": "El servidor de correo no entrega",
            "description": "Los correos de ventas no salen desde esta mañana; afecta al negocio.",
            "facts": {"business_impact": "material"},
        },
        resolution="description",
        units=7,
    ),
)


class Teller:
    """Tells the story in the terminal, or to nobody."""

    def __init__(self, console: Console | None) -> None:
        self._console = console

    def say(self, text: str = "") -> None:
        """Say a line."""
        if self._console is not None:
            self._console.print(text, soft_wrap=True)

    def show(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Show rows in columns."""
        if self._console is None or not rows:
            return
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 4))
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


class Caller:
    """Calls the API, and again while the system is away: a repeated step has one effect."""

    def __init__(self, address: str, *, token: str, story: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(60, connect=3)
        )
        self._story = story

    async def close(self) -> None:
        """Leave."""
        await self._client.aclose()

    async def get(self, path: str, **query: str) -> Any:
        """Read. :raises StoryFailed:"""
        return await self._call("GET", path, step="", params=query)

    async def post(self, step: str, path: str, body: Mapping[str, Any]) -> Any:
        """Change something, once for each `step` of the story; returns when all has settled. :raises StoryFailed:"""
        return await self._call("POST", path, step=step, json=body)

    async def _call(self, method: str, path: str, *, step: str, **options: Any) -> Any:
        headers = {"Prefer": "wait=20"}
        if step:
            headers["Idempotency-Key"] = hashlib.sha256(f"{self._story}/{step}".encode()).hexdigest()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                response = await self._client.request(method, path, headers=headers, **options)
                problem = f"{response.status_code} {response.text}"
                if response.is_success:
                    return response.json()
                if response.status_code not in _AWAY:
                    raise StoryFailed(f"{method} {path} was refused: {problem}")
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            if loop.time() > deadline:
                raise StoryFailed(f"{method} {path} stayed unanswered: {problem}")
            await asyncio.sleep(0.3)


async def open_desk(address: str, *, operator_key: str, key: str) -> dict[str, Any]:
    """Open a sandbox desk with its clock at the story's beginning; the same `key` is the same desk."""
    caller = Caller(address, token=operator_key, story=key)
    try:
        body = {"name": "Mesa de prueba", "sandbox": True, "timezone": "Europe/Madrid", "clock_at": STARTS_AT}
        created: dict[str, Any] = await caller.post("desk", "/v1/desks", body)
    finally:
        await caller.close()
    return {"desk_id": created["desk_id"], "api_key": created["api_key"]}


async def publish_contracts(address: str, *, api_key: str) -> list[str]:
    """Publish the five policy documents in a desk; publishing again is no error."""
    caller = Caller(address, token=api_key, story=api_key)
    try:
        published = []
        for name in policy_names():
            answer = await caller.post(f"publish {name}", "/v1/policies", {"document": policy_text(name)})
            published.append(f"{answer['policy']} {answer['version']}")
    finally:
        await caller.close()
    return published


class Story:
    """Plays all chapters in step: they share the desk, and so its clock."""

    def __init__(self, *, address: str, api_key: str, teller: Teller) -> None:
        self._caller = Caller(address, token=api_key, story=api_key)
        self._teller = teller

    async def play(self) -> dict[str, Any]:
        """Play, and return the final state by policy. :raises StoryFailed:"""
        try:
            return await self._play()
        finally:
            await self._caller.close()

    async def _play(self) -> dict[str, Any]:
        say = self._teller.say
        say()
        say("[bold]A first story.[/] It is Thursday, 30 April 2026, 14:00 UTC. Five customers write.")
        tickets = {chapter.policy: await self._open(chapter) for chapter in CHAPTERS}
        say()
        say("[bold]The weekend passes[/] on the test clock, until Tuesday, 5 May, 14:00 UTC.")
        desk_id = await self._desk_id()
        moved = await self._caller.post("advance 1", f"/v1/desks/{desk_id}/clock", {"to": ANSWERED_AT})
        say(f"    {moved['fired']} timers fired on the way, in order; all four services have settled.")
        for chapter in CHAPTERS:
            await self._show_breach(chapter, tickets[chapter.policy]["ticket_id"])
        say()
        say("[bold]The desk answers and solves.[/]")
        for chapter in CHAPTERS:
            await self._answer(chapter, tickets[chapter.policy]["ticket_id"])
        await self._caller.post("advance 2", f"/v1/desks/{desk_id}/clock", {"to": SOLVED_AT})
        final = {}
        for chapter in CHAPTERS:
            final[chapter.policy] = await self._solve(chapter, tickets[chapter.policy]["ticket_id"])
        return final

    async def _desk_id(self) -> str:
        desk = await self._caller.get("/v1/desk")
        return str(desk["desk_id"])

    async def _open(self, chapter: Chapter) -> dict[str, Any]:
        name = chapter.policy
        customer = await self._caller.post(f"{name} customer", "/v1/customers", chapter.customer)
        contract = await self._caller.post(
            f"{name} contract",
            "/v1/contracts",
            {"customer_id": customer["customer_id"], "policy": name, "valid_from": "2026-01-01", **chapter.contract},
        )
        if chapter.units:
            account = (await self._caller.get("/v1/accounts", contract=contract["contract_id"]))["items"][0]
            body = {"quantity": chapter.units, "reason": "compra de unidades"}
            await self._caller.post(f"{name} grant", f"/v1/accounts/{account['account_id']}/grants", body)
        opened = await self._caller.post(
            f"{name} open", "/v1/tickets", {"contract_id": contract["contract_id"], **chapter.ticket}
        )
        ticket: dict[str, Any] = await self._caller.get(f"/v1/tickets/{opened['ticket_id']}")
        graded = ", ".join(f"{about} {ticket[about]}" for about in ("severity", "priority") if ticket[about])
        self._teller.say()
        self._teller.say(f"[bold cyan]{chapter.title}[/]")
        self._teller.say(f"    {ticket['number']} «{ticket['subject']}» {graded}; team {ticket['team']}")
        self._teller.show(
            [
                (
                    clock["kind"].replace("_", " "),
                    str(clock["target"]),
                    "due " + local_time(clock["due_at"], chapter.timezone),
                    ", ".join(clock["clauses"]),
                )
                for clock in ticket["clocks"]
            ]
        )
        return ticket

    async def _show_breach(self, chapter: Chapter, ticket_id: str) -> None:
        ticket = await self._caller.get(f"/v1/tickets/{ticket_id}")
        self._teller.say(f"[cyan]{ticket['number']}[/]")
        self._teller.show(
            [
                (
                    "breached",
                    clock["kind"].replace("_", " "),
                    "at " + local_time(clock["breached_at"], chapter.timezone),
                    ", ".join(clock["clauses"]),
                )
                for clock in ticket["clocks"]
                if clock["breached_at"]
            ]
            + [
                (
                    "escalated",
                    str(one.get("trigger")),
                    "told: " + (", ".join(one.get("notified", ())) or "nobody"),
                    ", ".join(one.get("clauses", ())) or "the desk's default",
                )
                for one in ticket["escalations"]
            ]
            + [("now", f"level {ticket['level']}", f"team {ticket['team']}", "")]
        )

    async def _answer(self, chapter: Chapter, ticket_id: str) -> None:
        body = {"text": "Estamos trabajando en ello.", "channel": "email"}
        await self._caller.post(f"{chapter.policy} answer", f"/v1/tickets/{ticket_id}/replies", body)

    async def _solve(self, chapter: Chapter, ticket_id: str) -> dict[str, Any]:
        name = chapter.policy
        work = {
            "ticket_id": ticket_id,
            "started_at": ANSWERED_AT,
            "minutes": chapter.minutes,
            "description": "diagnóstico y corrección",
        }
        await self._caller.post(f"{name} work", "/v1/work", work)
        resolution = {"kind": chapter.resolution, "text": "Corregido; puede comprobarlo."}
        await self._caller.post(f"{name} resolve", f"/v1/tickets/{ticket_id}/resolutions", resolution)
        confirmed = {"reason": "confirmed", "confirmed_by": "cliente@example.com", "channel": "email"}
        await self._caller.post(f"{name} close", f"/v1/tickets/{ticket_id}/closings", confirmed)
        ticket = await self._caller.get(f"/v1/tickets/{ticket_id}")
        self._teller.say(f"[cyan]{ticket['number']}[/] {ticket['state']}, {ticket['closed_for']}")
        self._teller.show([("charge", charge["explanation"]["es"]) for charge in ticket["charges"]])
        return final_state(ticket)


def local_time(instant: str | None, timezone: str) -> str:
    """Return an instant as people at `timezone` read it."""
    if instant is None:
        return "when it goes on"
    at = datetime.fromisoformat(instant)
    if timezone[0] in "+-":
        at = at.astimezone(datetime.fromisoformat(f"2000-01-01T00:00:00{timezone}").tzinfo)
    else:
        at = at.astimezone(ZoneInfo(timezone))
    return at.strftime("%a %d %b %H:%M (%Z)")


def final_state(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be the same each time the story is played, whatever was killed on the way."""
    clocks = {
        f"{clock['kind']} {clock['cycle']}": {
            key: clock[key] for key in ("state", "due_at", "breached_at", "stopped_at", "clauses")
        }
        for clock in ticket["clocks"]
    }
    return {
        "state": ticket["state"],
        "closed_for": ticket["closed_for"],
        "level": ticket["level"],
        "team": ticket["team"],
        "clocks": clocks,
        "escalations": sorted(
            (one.get("trigger"), one.get("state"), one.get("steps_fired")) for one in ticket["escalations"]
        ),
        "charges": [
            {key: charge[key] for key in ("unit", "quantity", "total", "worked_minutes", "charged_minutes")}
            for charge in ticket["charges"]
        ],
    }
