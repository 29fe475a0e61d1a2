"""The desks of the traffic: what their people and customers do, drawn from a seed."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from faults.accepted import Exchange
from faults.sending import Sender, present
from plazo.policies import policy_text

STARTS_AT = "2026-04-29T13:00:07Z"  # a Wednesday; Friday, 1 May, is a holiday in all five places
LAST_DAY = "2026-12-01T00:00:00Z"
_OVER = ("resolved", "closed")


@dataclass(slots=True)
class Case:
    """A ticket, as whoever works on it remembers it."""

    ticket_id: str
    contract_id: str
    state: str
    waits: set[str] = field(default_factory=set)
    attempts: int = 0
    dates: int = 0
    works: list[str] = field(default_factory=list)
    level: int = 1
    opened_at: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is work."""
        return self.state not in (*_OVER, "held")


@dataclass(frozen=True, slots=True)
class Trade:
    """What goes on at a desk under one policy: whose contracts there are, what is asked for, and how."""

    policy: str
    channel: str
    plans: Sequence[str | None]
    facts: Sequence[Mapping[str, Any]]
    acts: Sequence[str]
    customer: Mapping[str, Any] = field(default_factory=dict)
    agents: Sequence[Mapping[str, Any]] = ()
    resolution: str = "fix"
    has_gates: bool = False
    prefix: str = ""
    units: int = 0
    call_channel: str | None = "phone"


_COMMON = (
    "open",
    "open",
    "reply",
    "reply",
    "note",
    "customer",
    "wait",
    "end_wait",
    "resolve",
    "close",
    "reopen",
    "refused",
)

TRADES: Mapping[str, Trade] = {
    "smartcloud": Trade(
        policy="smartcloud",
        channel="portal",
        plans=("dedicated", "dedicated"),
        facts=tuple({"business_impact": impact} for impact in ("material", "important", "moderate", "slight")),
        acts=(*_COMMON, "grant", "work", "work", "work", "void", "standing", "attempt", "abandon", "facts"),
        resolution="description",
        has_gates=True,
        units=5,
    ),
    "prodequa": Trade(
        policy="prodequa",
        channel="email",
        plans=("basic", "enterprise"),
        facts=({"out_of_service": True}, {"operational_impact": "significant"}, {}, {"type": "suggestion"}),
        acts=(*_COMMON, "work", "work", "void", "grant", "date", "attempt", "attempt", "facts", "ask_to_escalate"),
        agents=(
            {"name": "Carla", "email": "carla@example.com", "teams": ["support"]},
            {"name": "Pablo", "email": "pablo@example.com", "roles": ["project_manager"]},
        ),
        has_gates=True,
    ),
    "ireo": Trade(
        policy="ireo",
        channel="email",
        plans=("standard", "plus", "vip"),
        facts=tuple({"impact": impact} for impact in ("stopped", "degraded", "limited", "question")),
        acts=(*_COMMON, "facts", "work", "hook", "hook"),
        agents=(
            {"name": "Berta", "email": "berta@example.com", "teams": ["support"]},
            {"name": "Marta", "email": "marta@example.com", "roles": ["manager"]},
        ),
    ),
    "skedu": Trade(
        policy="skedu",
        channel="chat",
        plans=(None,),
        facts=({"urgency": "high", "complexity": "high"}, {"urgency": "low", "complexity": "low"}, {}),
        acts=(*_COMMON, "date", "facts", "escalate", "escalate"),
        agents=({"name": "Jorge", "email": "jorge@example.com", "roles": ["manager"]},),
        call_channel=None,
    ),
    "expande": Trade(
        policy="expande",
        channel="portal",
        plans=("basic", "enterprise_premium"),
        facts=({"sales_impossible": True}, {"random_errors": True}, {}, {"component": "cloud", "server_down": True}),
        acts=(*_COMMON, "escalate"),
        customer={"segment": "cinema", "timezone": "Europe/Madrid"},
        agents=(
            {"name": "Lola", "email": "lola@example.com", "teams": ["level_1_cinema"]},
            {"name": "Leo", "email": "leo@example.com", "roles": ["team_lead"]},
            {"name": "Mia", "email": "mia@example.com", "roles": ["manager"]},
        ),
    ),
    "prompt": Trade(
        policy="prompt",
        channel="portal",
        plans=(None, None),
        facts=({"stopped": True}, {"stopped": True}, {}),
        acts=(*_COMMON, "work", "grant", "void"),
        agents=(
            {"name": "Ada", "email": "ada@example.com", "teams": ["support"]},
            {"name": "Tom", "email": "tom@example.com", "roles": ["team_lead"]},
            {"name": "Max", "email": "max@example.com", "roles": ["manager"]},
        ),
    ),
}

MAPPING = {
    "thread": "{id}",
    "action": [{"template": "{kind}", "values": {"new": "open", "said": "reply", "done": "resolve"}}],
    "subject": "{title}",
    "description": "{body|title}",
    "text": "{body|kind}",
    "facts": {"impact": {"template": "{impact?}"}},
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the promises of the live desk are, in seconds: first response, resolution, between steps."""

    first: int = 20
    whole: int = 60
    long: int = 90
    step: int = 5


def live_document(pace: Pace) -> str:
    """Return the policy of the live desk."""
    text = Path(__file__).with_name("live_policy.yaml").read_text(encoding="utf-8")
    for word, seconds in (("FIRST", pace.first), ("WHOLE", pace.whole), ("LONG", pace.long), ("STEP", pace.step)):
        text = text.replace(f"{word}s", f"{seconds}s")
    return text


class Office:
    """A desk, its contracts, and the tickets it has."""

    def __init__(self, name: str, *, sender: Sender, operator_key: str, seed: str, run: str, pace: Pace) -> None:
        self.name = name
        self.trade = TRADES[name.split("-", maxsplit=1)[0]]
        self.is_live = self.trade.policy == "prompt"
        self.sender = sender
        self.pace = pace
        self.starts_at = self.now = datetime.fromisoformat(STARTS_AT)
        self.desk_id = ""
        self.admin = ""
        self.contracts: list[dict[str, Any]] = []
        self.requesters: dict[str, str] = {}
        self.accounts: dict[str, str] = {}
        self.hook: dict[str, Any] = {}
        self.threads: dict[str, str] = {}
        self.cases: list[Case] = []
        self._operator_key = operator_key
        self._run = run
        self._draw = random.Random(f"{seed}:{name}")
        self._keys = 0
        self._works = 0

    # How the desk begins.

    async def prepare(self) -> None:
        """Make the desk, publish its policy, sign its contracts, and wait until every service knows its keys."""
        body: dict[str, Any] = {"name": f"traffic {self.name}", "sandbox": not self.is_live}
        if not self.is_live:
            body["clock_at"] = STARTS_AT
        made = await self.sender.send(
            "make_desk",
            "POST",
            "/v1/desks",
            body,
            token=self._operator_key,
            key=f"{self._run}-{self.name}",
            who="operator",
        )
        assert made.is_accepted, f"{made} {made.answer}"
        self.desk_id, self.admin = made.answer["desk_id"], made.answer["api_key"]
        await self._known(self.admin)
        document = live_document(self.pace) if self.is_live else policy_text(self.trade.policy)
        await self._sure("publish", "/v1/policies", {"document": document})
        for agent in self.trade.agents:
            await self._sure("agent", "/v1/agents", agent)
        for number, plan in enumerate(self.trade.plans):
            await self._sign(number, plan)
        if "hook" in self.trade.acts:
            body = {"name": "monitoring", "contract_id": self.contracts[0]["contract_id"], "mapping": MAPPING}
            while "secret" not in self.hook:
                self.hook = (await self._sure("hook", "/v1/hooks", body)).answer
        await self._all_settled()

    async def _sign(self, number: int, plan: str | None) -> None:
        about = {
            "name": f"Cliente {number}",
            "email": f"cliente{number}@{self.name}.example.com",
            **self.trade.customer,
        }
        customer = (await self._sure("customer", "/v1/customers", about)).answer
        terms = {
            "customer_id": customer["customer_id"],
            "policy": self.trade.policy,
            "plan": plan,
            "valid_from": "2020-01-01",
        }
        contract = (await self._sure("contract", "/v1/contracts", terms)).answer
        self.contracts.append(contract)
        issued: dict[str, Any] = {}
        body = {"role": "requester", "label": "cliente", "customer_id": customer["customer_id"]}
        while "api_key" not in issued:
            issued = (await self._sure("key", "/v1/keys", body)).answer
        self.requesters[contract["contract_id"]] = issued["api_key"]
        await self._known(issued["api_key"])
        if {"work", "grant"} & {*self.trade.acts}:
            found: list[Any] = []
            while not found:
                found = await self.sender.read_all("/v1/accounts", token=self.admin, contract=contract["contract_id"])
                if self.trade.policy == "ireo":
                    break
            if found:
                self.accounts[contract["contract_id"]] = found[0]["account_id"]
        if self.trade.units:
            path = f"/v1/accounts/{self.accounts[contract['contract_id']]}/grants"
            # The second one's tickets are held until it buys more.
            quantity = self.trade.units if number == 0 else 1
            await self._sure("grant", path, {"quantity": quantity, "reason": "compra"}, not_yet=(404,))

    async def _known(self, token: str) -> None:
        """Wait until the other services have heard of a key."""
        for path in (
            "/v1/outages?limit=1",
            "/v1/clocks?limit=1",
            "/v1/messages?limit=1",
            "/v1/escalations?limit=1",
            "/v1/desk",
        ):
            answered = ""
            while not answered:
                response = await self.sender._until_answered(
                    "GET", path, None, {"Authorization": f"Bearer {token}"}, [], (401,)
                )
                answered = str(response.status_code)
        for path in ("/v1/accounts?limit=1",):
            await self.sender._until_answered("GET", path, None, {"Authorization": f"Bearer {token}"}, [], (401,))

    async def _sure(self, action: str, path: str, body: Any, **options: Any) -> Exchange:
        answered = await self.sender.send(action, "POST", path, body, token=self.admin, key=self._key(), **options)
        assert answered.is_accepted, f"{answered} {answered.answer}"
        return answered

    async def _all_settled(self) -> None:
        """Begin with everything known everywhere."""
        if not self.is_live:
            await self.settle()

    # What happens there.

    async def step(self) -> None:
        """Do one thing, drawn from the seed."""
        if not self.is_live and self._draw.random() < 0.16:
            await self.move(self._stretch())
            return
        act: str = self._draw.choice(self.trade.acts) if len(self.cases) > 1 else "open"
        await getattr(self, f"_{act}")()

    def _stretch(self) -> timedelta:
        minutes = self._draw.choice((7, 25, 50, 130, 310, 700, 1440, 1440, 2900, 4300))
        return timedelta(minutes=minutes, seconds=self._draw.randrange(1, 59))

    async def move(self, length: timedelta) -> None:
        """Move the test clock."""
        target = self.now + length
        if target > datetime.fromisoformat(LAST_DAY):
            return
        body = {"to": target.strftime("%Y-%m-%dT%H:%M:%SZ")}
        moved = await self.sender.send(
            "move", "POST", f"/v1/desks/{self.desk_id}/clock", body, token=self.admin, key=self._key(), not_yet=(409,)
        )
        assert moved.is_accepted, f"{moved} {moved.answer}"
        self.now = target

    async def settle(self) -> None:
        """Let all that is under way come to rest, without moving far."""
        await self.move(timedelta(seconds=1))

    def _key(self) -> str:
        self._keys += 1
        return f"{self._run}-{self.name}-{self._keys}"

    def _case(self, *states: str, wanted: Callable[[Case], bool] = lambda _: True) -> Case | None:
        fitting = [case for case in self.cases if (not states or case.state in states) and wanted(case)]
        return self._draw.choice(fitting) if fitting else None

    async def _send(
        self, action: str, path: str, body: Any, *, method: str = "POST", token: str | None = None, **options: Any
    ) -> Exchange:
        """Send a request, and sometimes the very same once more."""
        key = self._key() if method == "POST" else None
        twice = self._draw.random() < 0.12 and method == "POST"
        token = token or self.admin
        answered = await self.sender.send(action, method, path, body, token=token, key=key, **options)
        if twice:
            await self.sender.send(f"again:{action}", method, path, body, token=token, key=key, **options)
        return answered

    async def _act(self, case: Case, action: str, path: str, body: Any, **options: Any) -> Exchange:
        target = f"/v1/tickets/{case.ticket_id}/{path}".rstrip("/")
        answered = await self._send(action, target, body, **options)
        if answered.is_accepted:
            case.state = answered.answer["state"]
            case.waits = {*answered.answer["waits"]}
            case.level = answered.answer["level"]
        return answered

    async def _open(self) -> None:
        contract = self._draw.choice(self.contracts)
        body = {
            "contract_id": contract["contract_id"],
            "subject": f"Asunto {len(self.cases) + 1}",
            "description": self._draw.choice(("No arranca desde hoy", "Va muy lento", "¿Cómo se hace?")),
            "channel": self.trade.channel,
            "facts": dict(self._draw.choice(self.trade.facts)),
        }
        as_customer = self._draw.random() < 0.3
        token = self.requesters[contract["contract_id"]] if as_customer else None
        opened = await self._send("open", "/v1/tickets", body, token=token, who="customer" if as_customer else "desk")
        if opened.is_accepted:
            await self._take_in(opened.answer)

    async def _take_in(self, ticket: Mapping[str, Any]) -> None:
        case = Case(ticket["ticket_id"], ticket["contract_id"], ticket["state"], opened_at=ticket["opened_at"])
        self.cases.append(case)
        if self.trade.has_gates:
            await self._admitted(case)

    async def _admitted(self, case: Case) -> None:
        """Wait until billing has let a ticket in, or keeps it out: what is done before that may come before it."""
        while True:
            entries = await self.sender.read_all(f"/v1/tickets/{case.ticket_id}/timeline", token=self.admin)
            if any(entry["kind"] in ("admitted", "held") for entry in entries):
                break
        case.state = (await self.sender.read(f"/v1/tickets/{case.ticket_id}", token=self.admin))["state"]

    async def _reply(self) -> None:
        if case := self._case(wanted=lambda one: one.state not in ("held", "closed")):
            channel = self._draw.choice(("email", "email", self.trade.call_channel or "email"))
            await self._act(case, "reply", "replies", {"text": "Lo estamos viendo", "channel": channel})

    async def _note(self) -> None:
        if case := self._case():
            await self._act(case, "note", "replies", {"text": "mirar los registros", "internal": True})

    async def _customer(self) -> None:
        if case := self._case(wanted=lambda one: one.state != "closed"):
            token = self.requesters[case.contract_id]
            await self._act(case, "customer", "replies", {"text": "¿Alguna novedad?"}, token=token, who="customer")

    async def _wait(self) -> None:
        if case := self._case(wanted=lambda one: one.is_open):
            cause = self._draw.choice(("customer", "customer", "vendor"))
            body: dict[str, Any] = {"cause": cause, "reason": "falta información"}
            if not self.is_live and self._draw.random() < 0.3:
                until = self.now + self._stretch()
                body["until"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._act(case, "wait", "waits", body)

    async def _end_wait(self) -> None:
        if case := self._case("waiting"):
            cause = self._draw.choice(sorted(case.waits) or ["customer"])
            await self._act(case, "end_wait", f"waits/{cause}/end", None)

    async def _resolve(self) -> None:
        if self._draw.random() < 0.5 and (case := self._case(wanted=lambda one: one.is_open)):
            await self._act(case, "resolve", "resolutions", {"kind": self.trade.resolution, "text": "Arreglado"})

    async def _close(self) -> None:
        if case := self._case("resolved"):
            await self._act(
                case, "close", "closings", {"reason": "confirmed", "confirmed_by": "Ana", "channel": "phone"}
            )
        elif self._draw.random() < 0.2 and (case := self._case()):
            was_held = case.state == "held"
            await self._act(case, "close", "closings", {"reason": "withdrawn"})
            if was_held:
                self.cases.remove(case)  # nobody asks for it again
                await self.settle()  # so that nothing lets it in that has yet to hear of this

    async def _reopen(self) -> None:
        if case := self._case(*_OVER):
            await self._act(case, "reopen", "reopenings", {"reason": "vuelve a fallar"})

    async def _facts(self) -> None:
        if case := self._case(wanted=lambda one: one.state not in _OVER):
            facts: dict[str, Any] = {name: None for one in self.trade.facts for name in one}
            facts |= self._draw.choice(self.trade.facts)
            if self.trade.policy == "expande":
                facts.pop("component")  # the team would change with it
            await self._act(case, "facts", "", {"facts": facts}, method="PATCH")

    async def _date(self) -> None:
        if case := self._case(wanted=lambda one: one.is_open):
            due = (self.now + timedelta(hours=self._draw.choice((5, 29, 77)))).strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._act(case, "date", "agreed-dates", {"due_at": due})

    async def _attempt(self) -> None:
        case = self._case("waiting", wanted=lambda one: "customer" in one.waits)
        if case is None:
            if case := self._case(wanted=lambda one: one.is_open):
                await self._act(case, "wait", "waits", {"cause": "customer", "reason": "falta información"})
            return
        body: dict[str, Any] = {"channel": self._draw.choice(("phone", "email")), "result": "no_answer"}
        if self.trade.policy == "prodequa":
            body["closes_at"] = (self.now + timedelta(days=self._draw.choice((1, 6, 8)))).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._act(case, "attempt", "attempts", body)

    async def _abandon(self) -> None:
        if case := self._case("waiting", wanted=lambda one: "customer" in one.waits):
            await self._act(case, "close", "closings", {"reason": "abandoned"})

    async def _refused(self) -> None:
        """Ask for what cannot be: it must leave no trace."""
        wrong = self._draw.choice(("nobody", "empty", "closed", "foreign"))
        case = self._case()
        if wrong == "nobody":
            path = "/v1/tickets/00000000-0000-7000-8000-000000000000/replies"
            await self._send("refused", path, {"text": "nadie"})
        elif wrong == "empty":
            await self._send("refused", "/v1/tickets", {"contract_id": "x", "subject": "", "facts": {"a": 1.5}})
        elif wrong == "closed" and (case := self._case("closed")):
            await self._act(case, "reply", "replies", {"text": "tarde", "channel": "email"})
        elif case is not None:
            token = self.requesters[case.contract_id]
            path = f"/v1/tickets/{case.ticket_id}/resolutions"
            await self._send("refused", path, {"kind": "fix", "text": "yo mismo"}, token=token, who="customer")

    # What is paid for.

    async def _work(self) -> None:
        if case := self._case(wanted=lambda one: one.state != "held"):
            # No two pieces of work begin at one instant: their order says what each is charged.
            self._works += 1
            start = datetime.fromisoformat(case.opened_at) if self.is_live else self.now
            start -= timedelta(
                minutes=0 if self.is_live else self._draw.choice((0, 0, 15, 200, 1500)), seconds=self._works
            )
            body = {
                "ticket_id": case.ticket_id,
                "started_at": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "minutes": self._draw.choice((5, 20, 61, 119, 180)),
                "description": "diagnóstico",
            }
            done = await self._send("work", "/v1/work", body, not_yet=(404,))
            if done.is_accepted:
                case.works.append(done.answer["work"]["work_id"])

    async def _void(self) -> None:
        if case := self._case(wanted=lambda one: bool(one.works)):
            work_id = case.works.pop(self._draw.randrange(len(case.works)))
            await self._send("void", f"/v1/work/{work_id}/void", {"reason": "apuntado dos veces"})
            if self.trade.has_gates:
                await self._released(case.contract_id)

    async def _grant(self) -> None:
        contract_id = self._draw.choice(sorted(self.accounts, key=[*self.accounts].index))
        body: dict[str, Any] = {"quantity": self._draw.choice((1, 2, 4)), "reason": "compra"}
        if not self.is_live and self._draw.random() < 0.3:
            body["expires_at"] = (self.now + timedelta(days=self._draw.choice((2, 9)))).strftime("%Y-%m-%dT%H:00:00Z")
        await self._send("grant", f"/v1/accounts/{self.accounts[contract_id]}/grants", body)
        if self.trade.has_gates:
            await self._released(contract_id)

    async def _standing(self) -> None:
        contract = self._draw.choice(self.contracts)
        standing = self._draw.choice(("good", "good", "overdue"))
        body = {"contract_id": contract["contract_id"], "standing": standing, "reason": "factura de abril"}
        await self._send("standing", "/v1/standings", body)
        await self._released(contract["contract_id"])

    async def _released(self, contract_id: str) -> None:
        """Let what is set free settle: what comes next may depend on it."""
        if any(case.state == "held" and case.contract_id == contract_id for case in self.cases):
            await self.settle()
            for case in self.cases:
                if case.state == "held":
                    case.state = (await self.sender.read(f"/v1/tickets/{case.ticket_id}", token=self.admin))["state"]

    # Who is told.

    async def _escalate(self) -> None:
        if case := self._case(wanted=lambda one: one.is_open):
            await self.settle()  # what was done before has to be known where it is asked
            body = {"ticket_id": case.ticket_id, "trigger": "agent_request", "reason": "no sale"}
            await self._send("escalate", "/v1/escalations", body, not_yet=(404,))
            await self.settle()  # its level decides what may be done next

    async def _ask_to_escalate(self) -> None:
        if case := self._case(wanted=lambda one: one.is_open):
            await self.settle()
            token = self.requesters[case.contract_id]
            body = {"ticket_id": case.ticket_id, "trigger": "customer_request"}
            await self._send("escalate", "/v1/escalations", body, token=token, who="customer", not_yet=(404,))

    # Who posts.

    async def _hook(self) -> None:
        """Post as another system does: signed, without a key, and sometimes twice."""
        fresh = not self.threads or self._draw.random() < 0.5
        thread = f"{self.name}-{len(self.threads) + 1}" if fresh else self._draw.choice(sorted(self.threads))
        kind = "new" if fresh else self._draw.choice(("new", "said", "done"))
        payload = {"id": thread, "kind": kind, "title": f"Alerta {thread}", "body": "98 %"}
        if fresh:
            payload["impact"] = self._draw.choice(("stopped", "degraded"))
        delivery = self._key()
        posted = await self._post(f"hook:{kind}", payload, delivery)
        if self._draw.random() < 0.3:
            await self._post(f"again:hook:{kind}", payload, delivery)
        if posted.is_accepted:
            item = posted.answer["items"][0]
            if fresh and item["ticket_id"]:
                self.threads[thread] = item["ticket_id"]
                ticket = await self.sender.read(f"/v1/tickets/{item['ticket_id']}", token=self.admin)
                await self._take_in(ticket)

    async def _post(self, action: str, payload: Any, delivery: str) -> Exchange:
        body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode()
        headers = signed(body, secret=self.hook["secret"], delivery=delivery, at=present())
        return await self.sender.send(
            action, "POST", self.hook["path"], payload, token=None, who="hook", headers=headers, not_yet=(401,)
        )


def signed(body: bytes, *, secret: str, delivery: str, at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks."""
    stamp = str(int(at.timestamp()))
    digest = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256
    )
    mark = base64.b64encode(digest).decode()
    return {"webhook-id": delivery, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mark}"}
