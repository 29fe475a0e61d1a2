"""Escalation by itself on real servers: the others are what they announced."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from harness import OPERATOR_KEY, Client
from integration.escalation.postbox import Postbox, open_postbox

from escalation.app import SERVICE
from plazo.events import sla_clock, tickets
from plazo.events.envelope import Envelope, Event
from plazo.kernel.ids import derived_id, new_id
from plazo.local.nats import Nats
from plazo.local.postgres import Postgres
from plazo.policies import policy_text
from plazo.policy.document import Policy
from plazo.policy.load import load_policy
from plazo.runtime import migrations
from plazo.runtime.identity import new_key
from plazo.runtime.service import Runtime
from plazo.runtime.settings import Settings
from plazo.runtime.web import create_app

# Monday, 4 May 2026, 15:00 in Madrid.
MONDAY = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)


@cache
def shipped(name: str) -> Policy:
    """Load a shipped policy document, once."""
    return load_policy(policy_text(name))


@dataclass
class Alone:
    """The service, its API, and a mouth for each of its producers."""

    app: Any
    owner_url: str
    postbox: Postbox
    versions: Counter[tuple[str, UUID]] = field(default_factory=Counter)

    @property
    def runtime(self) -> Runtime:
        """The running process."""
        runtime: Runtime = self.app.state.runtime
        return runtime

    def client(self, token: str) -> Client:
        """Return a caller with an API key."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return Client(transport=transport, base_url="http://escalation", headers={"Authorization": f"Bearer {token}"})

    def envelope(self, event: Event, *, desk_id: UUID, about: UUID, at: datetime) -> Envelope:
        """Wrap an event as its producer would, next in its aggregate."""
        key = (event.producer, about)
        self.versions[key] += 1
        return Envelope(
            id=new_id(),
            producer=event.producer,
            type=event.type(),
            desk_id=desk_id,
            aggregate_id=about,
            aggregate_version=self.versions[key],
            occurred_at=at,
            recorded_at=at,
            correlation_id=new_id(),
            data=event.model_dump(mode="json"),
        )

    async def handle(self, envelope: Envelope) -> None:
        """Deliver an event."""
        await self.runtime.consumers[envelope.producer].handle(envelope)

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Look into the database, across desks."""
        return await self.runtime.database.system.fetch(sql, *arguments)

    async def new_desk(self, *, sandbox: bool = True) -> "Desk":
        """Make a desk with a key for each role."""
        desk = Desk(alone=self, desk_id=new_id())
        keys = {}
        for role in ("administrator", "agent", "requester"):
            made = new_key()
            keys[role] = tickets.KeyCopy(
                key_id=made.key_id,
                secret_hash=made.secret_hash,
                role=role,
                label=role,
                customer_id=desk.customer_id if role == "requester" else None,
            )
            desk.clients[role] = self.client(made.token)
        created = tickets.DeskCreated(
            desk_name=f"desk {secrets.token_hex(3)}",
            sandbox=sandbox,
            timezone="UTC",
            clock_at=MONDAY if sandbox else None,
            key=keys.pop("administrator"),
        )
        await desk.hear(created, about=desk.desk_id)
        for key in keys.values():
            await desk.hear(tickets.KeyIssued(key=key), about=desk.desk_id)
        return desk


@dataclass
class Desk:
    """A desk, one customer of it, and what is said about its tickets."""

    alone: Alone
    desk_id: UUID
    customer_id: UUID = field(default_factory=new_id)
    clients: dict[str, Client] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        """The administrator."""
        return self.clients["administrator"]

    async def hear(self, event: Event, *, about: UUID, at: datetime = MONDAY) -> Envelope:
        """Deliver an event of another service; returns it, for a second delivery."""
        envelope = self.alone.envelope(event, desk_id=self.desk_id, about=about, at=at)
        await self.alone.handle(envelope)
        return envelope

    async def publish(self, name: str, **changed: Any) -> None:
        """Publish a shipped policy, or a changed version of it."""
        policy = shipped(name).model_copy(update=changed)
        event = tickets.PolicyPublished(
            policy=policy.policy,
            policy_version=policy.version,
            effective_from=policy.effective_from,
            document=policy.model_dump(mode="json"),
        )
        await self.hear(event, about=derived_id("policy", self.desk_id, policy.policy))
        self.policies[name] = policy.version

    async def agent(self, name: str, *teams: str, **about: Any) -> dict[str, Any]:
        """Make an agent."""
        body = {"name": name, "email": f"{name}@example.com", "teams": list(teams)} | about
        made: dict[str, Any] = await self.admin.ok("POST", "/v1/agents", json=body)
        return made

    async def ticket(self, policy: str, facts: dict[str, Any] | None = None, **given: Any) -> UUID:
        """Open a ticket under a policy, published if it is not; returns its id."""
        if policy not in self.policies:
            await self.publish(policy)
        ticket_id = new_id()
        ordinary = {
            "ticket_id": ticket_id,
            "number": f"T-{ticket_id.hex[-4:]}",
            "subject": "No se puede vender",
            "description": "La taquilla no cobra",
            "customer_id": self.customer_id,
            "customer_name": "Cines del Sur",
            "contact_name": "Ana",
            "contact_email": "ana@example.com",
            "contract_id": None,
            "policy": shipped(policy).policy,
            "policy_version": self.policies[policy],
            "facts": facts or {},
            "covered": True,
            "clocks": True,
            "admission": "not_required",
            "opened_at": MONDAY,
        }
        await self.hear(tickets.TicketOpened(**(ordinary | given)), about=ticket_id)
        return ticket_id

    def clock(self, ticket_id: UUID, kind: str, *, due_at: datetime, **given: Any) -> sla_clock.ClockCopy:
        """Describe a clock of a ticket."""
        ordinary = {
            "clock_id": derived_id("clock", ticket_id, kind, 1),
            "kind": kind,
            "cycle": 1,
            "state": "breached",
            "commitment": "guarantee",
            "target": "1h",
            "calendar": "elapsed",
            "clauses": ("EXP-11",),
            "started_at": MONDAY,
            "due_at": due_at,
            "breached_at": due_at,
        }
        return sla_clock.ClockCopy(**(ordinary | given))

    async def breach(self, ticket_id: UUID, kind: str, *, at: datetime, late: timedelta = timedelta(0)) -> Envelope:
        """Say that a promise was not kept at its due instant `at`, seen `late`."""
        clock = self.clock(ticket_id, kind, due_at=at)
        event = sla_clock.ClockBreached(ticket_id=ticket_id, clock=clock, breached_at=at, detected_at=at + late)
        return await self.hear(event, about=ticket_id, at=at)

    async def fire_timer(self, ticket_id: UUID, *, at: datetime | None = None, number: int = -1) -> Envelope:
        """Say that the time asked for last (or that with a number) has come, at its own instant or `at`."""
        requested = await self.events("timer.requested.v1", about=ticket_id)
        data = requested[number]["data"]
        hours = int(data["after"].removesuffix("h"))
        due = at or datetime.fromisoformat(data["start"]) + timedelta(hours=hours)
        event = sla_clock.TimerFired(
            timer_id=UUID(data["timer_id"]), requested_by="escalation", due_at=due, context=data["context"]
        )
        return await self.hear(event, about=ticket_id, at=due)

    async def events(self, *types: str, about: UUID | None = None) -> list[asyncpg.Record]:
        """Return what the service announced in this desk, oldest first."""
        return await self.alone.fetch(
            "SELECT * FROM outbox WHERE desk_id = $1 AND (cardinality($2::text[]) = 0 OR type = ANY($2)) "
            "AND ($3::uuid IS NULL OR aggregate_id = $3) ORDER BY seq",
            self.desk_id,
            list(types),
            about,
        )

    async def messages(self, ticket_id: UUID) -> list[dict[str, Any]]:
        """Read the mailbox of a ticket."""
        return (await self.admin.ok("GET", f"/v1/messages?ticket={ticket_id}"))["items"]

    async def escalations(self, ticket_id: UUID) -> list[dict[str, Any]]:
        """Read the escalations of a ticket."""
        return (await self.admin.ok("GET", f"/v1/escalations?ticket={ticket_id}"))["items"]

    async def assignments(self, ticket_id: UUID) -> list[dict[str, Any]]:
        """Read who had a ticket."""
        return (await self.admin.ok("GET", f"/v1/assignments?ticket={ticket_id}"))["items"]


@asynccontextmanager
async def running_alone(data: Path) -> AsyncIterator[Alone]:
    postgres, nats = Postgres(data, durable=False), Nats(data)
    async with AsyncExitStack() as stack:
        await asyncio.gather(postgres.start(), nats.start())
        stack.push_async_callback(postgres.stop)
        stack.push_async_callback(nats.stop)
        postbox = await stack.enter_async_context(open_postbox())
        urls = await postgres.create_database("escalation")
        await migrations.upgrade("escalation", dsn=urls.owner)
        settings = Settings(
            database_url=urls.app,
            system_database_url=urls.system,
            nats_url=nats.url_of("escalation"),
            operator_key=OPERATOR_KEY,
            log_level="error",
            smtp_url=postbox.url,
            public_url="https://desk.example.com",
            webhook_allowed_networks="127.0.0.0/8",
        )
        app = create_app(SERVICE, settings=settings)
        async with app.router.lifespan_context(app):
            yield Alone(app=app, owner_url=urls.owner, postbox=postbox)
