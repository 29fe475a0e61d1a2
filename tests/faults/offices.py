"""A desk of the traffic: how it begins, its time, and how its people send what they ask for."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from faults.accepted import Exchange
from faults.receiver import Receiver
from faults.sending import Sender
from faults.trades import MAPPING, TRADES, Pace, live_document
from plazo.policies import policy_text

STARTS_AT = "2026-04-29T13:00:07Z"  # a Wednesday; Friday, 1 May, is a holiday in all five places
LAST_DAY = "2026-12-01T00:00:00Z"
OVER = ("resolved", "closed")


@dataclass(slots=True)
class Case:
    """A ticket, as whoever works on it remembers it."""

    ticket_id: str
    contract_id: str
    state: str
    waits: set[str] = field(default_factory=set)
    works: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)
    level: int = 1
    opened_at: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is work."""
        return self.state not in (*OVER, "held")


class Office:
    """A desk, its contracts, and the tickets it has."""

    def __init__(
        self,
        name: str,
        *,
        sender: Sender,
        operator_key: str,
        seed: str,
        run: str,
        pace: Pace,
        receiver: Receiver | None = None,
    ) -> None:
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
        self.agents: list[str] = []
        self.hook: dict[str, Any] = {}
        self.receiver = receiver
        self.subscription: dict[str, Any] = {"secret": ""}
        self.threads: dict[str, str] = {}
        self.cases: list[Case] = []
        self.quotes: list[tuple[str, Case]] = []
        self.meetings: list[tuple[str, Case]] = []
        self._operator_key = operator_key
        self._run = run
        self.draw = random.Random(f"{seed}:{name}")
        self._keys = 0
        self.works = self.files = 0

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
        if self.receiver is not None:
            body = {"name": "partner", "url": self.receiver.url_of(self.name), "events": ["*"]}
            while not self.subscription["secret"].startswith("whsec_"):  # it is shown once, and that may be lost
                self.subscription = (await self._sure("subscribe", "/v1/subscriptions", body)).answer
        document = live_document(self.pace) if self.is_live else policy_text(self.trade.policy)
        await self._sure("publish", "/v1/policies", {"document": document})
        for agent in self.trade.agents:
            self.agents.append((await self._sure("agent", "/v1/agents", agent)).answer["agent_id"])
        for number, plan in enumerate(self.trade.plans):
            await self._sign(number, plan)
        if "hook" in self.trade.acts:
            body = {"name": "monitoring", "contract_id": self.contracts[0]["contract_id"], "mapping": MAPPING}
            while "secret" not in self.hook:
                self.hook = (await self._sure("hook", "/v1/hooks", body)).answer
        if not self.is_live:
            await self.settle()

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
        for place in ("outages", "clocks", "messages", "escalations", "accounts"):
            await self.sender.try_key(f"/v1/{place}?limit=1", token)
        await self.sender.try_key("/v1/desk", token)

    async def _sure(self, action: str, path: str, body: Any, **options: Any) -> Exchange:
        answered = await self.sender.send(action, "POST", path, body, token=self.admin, key=self.key(), **options)
        assert answered.is_accepted, f"{answered} {answered.answer}"
        return answered

    # What its acts are made of.

    def stretch(self) -> timedelta:
        """Draw how far the test clock is moved."""
        minutes = self.draw.choice((7, 25, 50, 130, 310, 700, 1440, 1440, 2900, 4300))
        return timedelta(minutes=minutes, seconds=self.draw.randrange(1, 59))

    async def move(self, length: timedelta) -> None:
        """Move the test clock."""
        target = self.now + length
        if target > datetime.fromisoformat(LAST_DAY):
            return
        body = {"to": target.strftime("%Y-%m-%dT%H:%M:%SZ")}
        moved = await self.sender.send(
            "move", "POST", f"/v1/desks/{self.desk_id}/clock", body, token=self.admin, key=self.key(), not_yet=(409,)
        )
        assert moved.is_accepted, f"{moved} {moved.answer}"
        self.now = target
        if self.trade.units:  # who looks at an account takes out what has expired: a warning may follow from that
            for account_id in self.accounts.values():
                await self.sender.read(f"/v1/accounts/{account_id}", token=self.admin)

    async def settle(self) -> None:
        """Let all that is under way come to rest, without moving far."""
        await self.move(timedelta(seconds=1))

    def key(self) -> str:
        """Return a fresh idempotency key."""
        self._keys += 1
        return f"{self._run}-{self.name}-{self._keys}"

    def case(self, *states: str, wanted: Callable[[Case], bool] = lambda _: True) -> Case | None:
        """Draw a ticket in one of some states; None if there is none."""
        fitting = [case for case in self.cases if (not states or case.state in states) and wanted(case)]
        return self.draw.choice(fitting) if fitting else None

    async def send(
        self, action: str, path: str, body: Any, *, method: str = "POST", token: str | None = None, **options: Any
    ) -> Exchange:
        """Send a request, and sometimes the very same once more."""
        key = self.key() if method == "POST" else None
        twice = self.draw.random() < 0.12 and method == "POST"
        token = token or self.admin
        answered = await self.sender.send(action, method, path, body, token=token, key=key, **options)
        if twice:
            await self.sender.send(f"again:{action}", method, path, body, token=token, key=key, **options)
        return answered

    async def act(self, case: Case, action: str, path: str, body: Any, **options: Any) -> Exchange:
        """Do something to a ticket, and remember what has become of it."""
        target = f"/v1/tickets/{case.ticket_id}/{path}".rstrip("/")
        answered = await self.send(action, target, body, **options)
        if answered.is_accepted:
            case.state = answered.answer["state"]
            case.waits = {*answered.answer["waits"]}
            case.level = answered.answer["level"]
            if action in ("close", "reopen") and case.quotes:  # what was set aside is free, or is again
                await self.settle()
                await self.released(case.contract_id)
        return answered

    async def take_in(self, ticket: Mapping[str, Any]) -> None:
        """Work on a ticket from now on."""
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

    async def released(self, contract_id: str) -> None:
        """Let what is set free settle: what comes next may depend on it."""
        if any(case.state == "held" and case.contract_id == contract_id for case in self.cases):
            await self.settle()
            for case in self.cases:
                if case.state == "held":
                    case.state = (await self.sender.read(f"/v1/tickets/{case.ticket_id}", token=self.admin))["state"]
