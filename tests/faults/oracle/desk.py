"""A desk as it must be: the fold over what was accepted there, request by request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from faults.accepted import Exchange
from faults.oracle.contracts import CONTRACTS, Contract, Prompt
from faults.oracle.ledger import Books, Lot, Quote, Work
from faults.oracle.ticket import Meeting, Moment, Refused, TicketStory

_TAKEN_FROM = ("new", "acknowledged", "held")
_LEAST_BALANCE = 2
_CALLS = ("phone", "video")
#: How work is charged, and what a plan brings each month.
_CHARGED = {"smartcloud": "units", "prodequa": "minutes", "prompt": "units", "ireo": "free"}
_ALLOTMENTS = {"basic": 20 * 60, "enterprise": 40 * 60}


class Watch(Protocol):
    """Says when a request took effect."""

    def at(self, exchange: Exchange, ticket_id: str, kind: str) -> datetime:
        """Return the instant of what a request is about to do."""

    def done(self, exchange: Exchange, ticket_id: str, moments: list[Moment]) -> None:
        """Take note of what it did."""


@dataclass(slots=True)
class TestClock:
    """The watch of a sandbox: time stands still between the moves."""

    now: datetime

    def at(self, exchange: Exchange, ticket_id: str, kind: str) -> datetime:
        """Return the desk's present."""
        return self.now

    def done(self, exchange: Exchange, ticket_id: str, moments: list[Moment]) -> None:
        """Nothing has to be noted."""


@dataclass(slots=True)
class DeskStory:
    """What must have come of all that was accepted in one desk."""

    name: str
    policy: str
    watch: Watch
    pace: Mapping[str, int] = field(default_factory=dict)
    tickets: dict[str, TicketStory] = field(default_factory=dict)
    books: dict[str, Books] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    contract: Contract = field(init=False)
    _plans: dict[str, str | None] = field(default_factory=dict)
    _customers: dict[str, str] = field(default_factory=dict)
    _customer_of: dict[str, str] = field(default_factory=dict)
    _threads: dict[str, str] = field(default_factory=dict)
    _agents: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _first: dict[str, Exchange] = field(default_factory=dict)
    _contracts: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the contract."""
        self.contract = Prompt(**self.pace) if self.policy == "prompt" else CONTRACTS[self.policy]()

    @property
    def is_live(self) -> bool:
        """Whether its time is the machine's."""
        return self.policy == "prompt"

    def take(self, exchange: Exchange) -> None:
        """Let one exchange have its effect."""
        if exchange.action.startswith("again:"):
            self._repeat(exchange)
            return
        if exchange.key is not None:
            self._first[exchange.key] = exchange
        elif exchange.action.startswith("hook:"):
            self._first[f"hook:{exchange.body}"] = exchange
        action = exchange.action.split(":")[0]
        if action == "refused" and exchange.is_accepted:
            self.faults.append(f"{exchange}: was accepted, and cannot be")
        elif handle := getattr(self, f"_{action}", None):
            handle(exchange)
            self._note_balances(self.watch.at(exchange, "", ""))

    def _repeat(self, exchange: Exchange) -> None:
        """A repetition is answered as the first was."""
        first = self._first.get(exchange.key or f"hook:{exchange.body}")
        assert first is not None, f"{exchange}: nothing was asked before"
        one, other = dict(first.answer or {}), dict(exchange.answer or {})
        if exchange.action.startswith("again:hook"):
            if not other.pop("duplicate", False):
                self.faults.append(f"{exchange}: the same delivery was taken twice")
            one.pop("duplicate", None)
        for answer in (one, other):
            answer.pop("instance", None)  # names the request, not what came of it
        if (first.status, one) != (exchange.status, other) and first.is_accepted:
            self.faults.append(f"{exchange}: the same request with the same key was answered otherwise before: {first}")

    # How the desk begins.

    def _make_desk(self, exchange: Exchange) -> None:
        pass

    def _customer_made(self, exchange: Exchange) -> None:
        self._customers[exchange.answer["customer_id"]] = exchange.body["email"]

    def _contract(self, exchange: Exchange) -> None:
        contract_id = exchange.answer["contract_id"]
        self._plans[contract_id] = exchange.body["plan"]
        self._customer_of[contract_id] = self._customers[exchange.body["customer_id"]]
        allotment = _ALLOTMENTS.get(exchange.body["plan"] or "", 0) if self.policy == "prodequa" else 0
        # Who makes the contract reads its account at once: that brings the month's allotment.
        reached = {self.watch.at(exchange, "", "signed")}
        self.books[contract_id] = Books(rule=_CHARGED.get(self.policy, "free"), allotment=allotment, reached=reached)

    # Time.

    def _move(self, exchange: Exchange) -> None:
        assert isinstance(self.watch, TestClock)
        target = datetime.fromisoformat(exchange.body["to"])
        if exchange.answer["clock_at"] != exchange.body["to"]:
            self.faults.append(f"{exchange}: the clock stands at {exchange.answer['clock_at']}")
        ends = [
            (quote.valid_until, contract_id, quote)
            for contract_id, books in self.books.items()
            for quote in books.quotes.values()
            if quote.state == "accepted" and quote.valid_until <= target
        ]
        for at, contract_id, quote in sorted(ends, key=lambda one: one[0]):
            self._pass(at)
            quote.state = "expired"
            self._note_balances(at)
            self._reconsider(contract_id)
        self._pass(target)

    def _pass(self, to: datetime) -> None:
        assert isinstance(self.watch, TestClock)
        for story in self.tickets.values():
            story.advance(to)
        self.watch.now = to

    # Tickets.

    def _open(self, exchange: Exchange) -> None:
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused, and has to be accepted: {exchange.answer}")
            return
        body = exchange.body
        at = datetime.fromisoformat(exchange.answer["opened_at"])
        if not self.is_live and at != self.watch.at(exchange, "", "opened"):
            self.faults.append(f"{exchange}: opened at {at}, when it was {self.watch.at(exchange, '', 'opened')}")
        self._begin(exchange, exchange.answer["ticket_id"], body["contract_id"], body["facts"], body["channel"], at)

    def _begin(
        self, exchange: Exchange, ticket_id: str, contract_id: str, facts: Mapping[str, Any], channel: str, at: datetime
    ) -> None:
        story = TicketStory(
            contract=self.contract,
            ticket_id=ticket_id,
            plan=self._plans[contract_id],
            customer=self._customer_of[contract_id],
            facts=dict(facts),
            opened_at=at,
            present=at,
            channel=channel,
            names=self._names,
        )
        self.tickets[ticket_id] = story
        self._contracts[ticket_id] = contract_id
        story.open()
        self.watch.done(exchange, ticket_id, [("opened", at)])
        self.books[contract_id].reached.add(at)
        if self.contract.gates:
            reason = self._hold_for(contract_id, at)
            if reason is None:
                story.admit(at)
            else:
                story.hold(reason, at)

    def _hold_for(self, contract_id: str, at: datetime) -> str | None:
        """Return why a ticket may not come in. SMA-02, SMA-14"""
        if self.policy != "smartcloud":
            return None
        books = self.books[contract_id]
        if books.standing != "good":
            return "overdue"
        return "awaiting_credit" if books.available(at) < _LEAST_BALANCE else None

    def _reconsider(self, contract_id: str) -> None:
        for story in self.tickets.values():
            if story.held_for is None or self._contracts[story.ticket_id] != contract_id:
                continue
            assert isinstance(self.watch, TestClock)
            at = self.watch.now
            reason = self._hold_for(contract_id, at)
            if reason is None:
                story.admit(at)
            elif reason != story.held_for:
                story.hold(reason, at)

    def _do(self, exchange: Exchange, kind: str, act: Any, *, ticket_id: str = "") -> None:
        """Let an act have its effect on a ticket, else on that which the path names, if the contract lets it."""
        ticket_id = ticket_id or exchange.path.split("/")[3]
        story = self.tickets[ticket_id]
        at = self.watch.at(exchange, ticket_id, kind)
        if self.is_live:
            story.advance(max(at, story.present))
        before = len(story.said)
        try:
            act(story, at)
        except Refused:
            if exchange.is_accepted:
                self.faults.append(f"{exchange}: was accepted, and may not be for a ticket that is {story.state}")
            return
        if not exchange.is_accepted:
            self.faults.append(
                f"{exchange}: was refused, and has to be accepted for a ticket that is {story.state}: {exchange.answer}"
            )
            return
        self.watch.done(exchange, ticket_id, story.said[before:])
        self._note_closed(story)
        answer = exchange.answer
        if answer.get("acknowledged_at", at) is None and story.acknowledged_at and answer["state"] not in _TAKEN_FROM:
            # It was worked on before its receipt was confirmed: that acknowledges nothing any more.
            story.timeline["acknowledged", story.acknowledged_at] -= 1
            story.acknowledged_at = None

    def _note_closed(self, story: TicketStory) -> None:
        """What is set aside for a ticket is free once that is closed, and no longer."""
        contract_id = self._contracts[story.ticket_id]
        closed = self.books[contract_id].closed
        if (story.state == "closed") != (story.ticket_id in closed):
            closed ^= {story.ticket_id}
            if self.books[contract_id].quotes:
                self._reconsider(contract_id)

    def _reply(self, exchange: Exchange) -> None:
        is_call = exchange.body["channel"] in _CALLS if "channel" in exchange.body else False
        self._do(exchange, "call" if is_call else "reply", lambda story, at: story.reply(at, is_call=is_call))

    def _note(self, exchange: Exchange) -> None:
        self._do(exchange, "internal_note", lambda story, at: story.note(at))

    def _customer(self, exchange: Exchange) -> None:
        if exchange.path == "/v1/customers":
            self._customer_made(exchange)
        else:
            self._do(exchange, "customer_reply", lambda story, at: story.hear(at))

    def _attach(self, exchange: Exchange) -> None:
        given = parse_qs(urlsplit(exchange.path).query)
        internal = given["internal"] == ["true"] and exchange.who != "customer"
        file = (
            exchange.answer.get("attachment_id", ""),
            given["name"][0],
            internal,
            sha256(exchange.body).hexdigest(),
        )
        self._do(exchange, "attachment_added", lambda story, at: story.attach(file, at))

    def _wait(self, exchange: Exchange) -> None:
        until = exchange.body.get("until")
        ends = datetime.fromisoformat(until) if until else None
        self._do(exchange, "wait_started", lambda story, at: story.wait(exchange.body["cause"], at, ends))

    def _meet(self, exchange: Exchange) -> None:
        body, meeting_id = exchange.body, exchange.answer.get("appointment_id", "")
        starts_at, ends_at = (datetime.fromisoformat(body[name]) for name in ("starts_at", "ends_at"))
        meeting = Meeting(starts_at, ends_at, body["wait"])
        self._do(exchange, "appointment_scheduled", lambda story, at: story.meet(meeting_id, meeting, at))

    def _met(self, exchange: Exchange) -> None:
        _, _, _, meeting_id, what = exchange.path.split("/")
        story = next(one for one in self.tickets.values() if meeting_id in one.meetings)
        meeting = story.meetings[meeting_id]
        state = {"kept": "kept", "no-show": "missed", "cancel": "cancelled"}[what]
        by_customer = exchange.who == "customer"
        self._do(
            exchange,
            f"appointment_{state}",
            lambda story, at: story.settle(meeting, state, at, by_customer=by_customer),
            ticket_id=story.ticket_id,
        )
        if exchange.is_accepted and self.contract.charges_absence and (meeting.late or state == "missed"):
            since = meeting.starts_at if state == "missed" else meeting.settled_at
            assert since is not None
            works = self.books[self._contracts[story.ticket_id]].works
            works[meeting_id] = Work(meeting_id, story.ticket_id, since, 0, fee=1)

    def _end_wait(self, exchange: Exchange) -> None:
        cause = exchange.path.split("/")[5]
        self._do(exchange, "wait_ended", lambda story, at: story.end_wait(cause, at))

    def _facts(self, exchange: Exchange) -> None:
        self._do(exchange, "facts_changed", lambda story, at: story.change_facts(exchange.body["facts"], at))

    def _date(self, exchange: Exchange) -> None:
        due_at = datetime.fromisoformat(exchange.body["due_at"])
        self._do(exchange, "date_agreed", lambda story, at: story.agree(due_at, at))

    def _attempt(self, exchange: Exchange) -> None:
        told = exchange.body.get("closes_at")
        closes_at = datetime.fromisoformat(told) if told else None
        self._do(exchange, "contact_attempted", lambda story, at: story.attempt(at, closes_at))

    def _resolve(self, exchange: Exchange) -> None:
        self._do(exchange, "resolved", lambda story, at: story.resolve(at))

    def _close(self, exchange: Exchange) -> None:
        self._do(exchange, "closed", lambda story, at: story.close(exchange.body["reason"], at))

    def _reopen(self, exchange: Exchange) -> None:
        self._do(exchange, "reopened", lambda story, at: story.reopen(at))

    def _escalate(self, exchange: Exchange) -> None:
        story = self.tickets[exchange.body["ticket_id"]]
        at = self.watch.at(exchange, story.ticket_id, "escalated")
        try:
            story.ask(exchange.body["trigger"], at)
        except Refused:
            if exchange.is_accepted:
                self.faults.append(f"{exchange}: was accepted, and the contract gives no such step")
        else:
            if not exchange.is_accepted:
                self.faults.append(f"{exchange}: was refused, and the contract gives that step: {exchange.answer}")

    def _agent(self, exchange: Exchange) -> None:
        self._agents[exchange.answer["agent_id"]] = exchange.body["email"]
        self._names[exchange.body["email"]] = exchange.body["name"]

    def _hand_over(self, exchange: Exchange) -> None:
        story = self.tickets[exchange.path.split("/")[3]]
        if story.is_over == exchange.is_accepted:
            self.faults.append(f"{exchange}: of a ticket that is {story.state}: {exchange.answer}")
        elif exchange.is_accepted:
            at = self.watch.at(exchange, story.ticket_id, "assigned")
            story.hand_over(self._agents[exchange.body["agent_id"]], at)

    def _acknowledge(self, exchange: Exchange) -> None:
        answer = exchange.answer
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused: {answer}")
            return
        story = self.tickets[answer["ticket_id"]]
        raised_at = datetime.fromisoformat(answer["raised_at"])
        known = (answer["trigger"], answer["kind"], answer["threshold"], raised_at)
        if not story.acknowledge(known, self.watch.at(exchange, story.ticket_id, "acknowledged")):
            self.faults.append(f"{exchange}: is of an escalation that nothing set off: {known}")

    # What other systems post.

    def _hook(self, exchange: Exchange) -> None:
        if not exchange.is_accepted or exchange.path == "/v1/hooks":
            if not exchange.is_accepted:
                self.faults.append(f"{exchange}: was refused: {exchange.answer}")
            return
        at = self.watch.at(exchange, "", "opened")
        thread, kind = exchange.body["id"], exchange.body["kind"]
        outcome = exchange.answer["items"][0]["outcome"]
        story = self.tickets.get(self._threads.get(thread, ""))
        expected = self._post(story, kind, at)
        if expected == "ticket_opened":
            ticket_id = exchange.answer["items"][0]["ticket_id"]
            facts = {"impact": exchange.body["impact"]} if "impact" in exchange.body else {}
            self._threads[thread] = ticket_id
            self._begin(exchange, ticket_id, next(iter(self.books)), facts, "webhook", at)
        if outcome != expected:
            self.faults.append(f"{exchange}: came to {outcome}, and has to come to {expected}")

    def _post(self, story: TicketStory | None, kind: str, at: datetime) -> str:
        if story is None or (kind == "new" and story.state == "closed"):
            return "ignored" if kind == "done" else "ticket_opened"
        if kind == "new":
            if story.state != "resolved":
                return "ignored"
            story.reopen(at)
            return "reopened"
        if kind == "said":
            if story.state == "closed":
                story.reopen(at)
            story.hear(at)
            return "reply_added"
        try:
            story.resolve(at)
        except Refused:
            story.note(at)
            return "noted"
        return "resolved"

    # What is paid for.

    def _grant(self, exchange: Exchange) -> None:
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused: {exchange.answer}")
            return
        account = exchange.answer["account"]
        contract_id = account["contract_id"]
        self.accounts[exchange.path.split("/")[3]] = contract_id
        books = self.books[contract_id]
        expires = exchange.body.get("expires_at")
        at = self.watch.at(exchange, "", "grant")
        quantity = exchange.body["quantity"] * (60 if books.rule == "minutes" else 1)
        books.grants.append(Lot(quantity, at, datetime.fromisoformat(expires) if expires else None))
        books.reached.add(at)
        self._reconsider(contract_id)

    def _note_balances(self, at: datetime) -> None:
        """A balance that falls below two units is told, once each time it does. SMA-14"""
        for books in self.books.values() if self.policy == "smartcloud" else ():
            balance = sum(lot.remaining for lot in books.settle(at)[0])
            if balance < _LEAST_BALANCE <= books.balance:
                books.lows.append(balance)
            books.balance = balance

    def _standing(self, exchange: Exchange) -> None:
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused: {exchange.answer}")
            return
        self.books[exchange.body["contract_id"]].standing = exchange.body["standing"]
        self._reconsider(exchange.body["contract_id"])

    def _quote(self, exchange: Exchange) -> None:
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused: {exchange.answer}")
            return
        body, answer = exchange.body, exchange.answer
        books = self.books[self._contracts[body["ticket_id"]]]
        at = self.watch.at(exchange, body["ticket_id"], "quote")
        quantity = books.price(body["ticket_id"], body["minutes"], at)
        until = datetime.fromisoformat(body["valid_until"])
        books.quotes[answer["quote_id"]] = Quote(answer["quote_id"], body["ticket_id"], quantity, until)
        if answer["quantity"] != quantity:
            self.faults.append(f"{exchange}: takes {answer['quantity']}, and has to take {quantity}")

    def _decide(self, exchange: Exchange) -> None:
        _, _, _, quote_id, decision = exchange.path.split("/")
        contract_id, quote = next(
            (contract_id, books.quotes[quote_id])
            for contract_id, books in self.books.items()
            if quote_id in books.quotes
        )
        at = self.watch.at(exchange, quote.ticket_id, "quote")
        wanted, state = {
            "accept": ("offered", "accepted"),
            "decline": ("offered", "declined"),
            "release": ("accepted", "released"),
        }[decision]
        is_possible = quote.state == wanted and (decision != "accept" or at < quote.valid_until)
        if is_possible != exchange.is_accepted:
            self.faults.append(f"{exchange}: a quote that is {quote.state}, valid until {quote.valid_until}")
        elif is_possible:
            quote.state = state
            quote.accepted_at = at if state == "accepted" else quote.accepted_at
            self._reconsider(contract_id)

    def _work(self, exchange: Exchange) -> None:
        quote = self.books[self._contracts[exchange.body["ticket_id"]]].quotes.get(exchange.body.get("quote_id", ""))
        if quote is not None and quote.state != "accepted":
            if exchange.is_accepted:
                self.faults.append(f"{exchange}: was accepted under a quote that is {quote.state}")
            return
        if not exchange.is_accepted:
            self.faults.append(f"{exchange}: was refused: {exchange.answer}")
            return
        body, work_id = exchange.body, exchange.answer["work"]["work_id"]
        books = self.books[self._contracts[body["ticket_id"]]]
        at = datetime.fromisoformat(body["started_at"])
        books.works[work_id] = Work(work_id, body["ticket_id"], at, body["minutes"], body.get("quote_id"))
        books.reached.add(at)

    def _void(self, exchange: Exchange) -> None:
        work_id = exchange.path.split("/")[3]
        for contract_id, books in self.books.items():
            if work_id in books.works:
                if not exchange.is_accepted:
                    self.faults.append(f"{exchange}: was refused: {exchange.answer}")
                    return
                del books.works[work_id]
                self._reconsider(contract_id)
                return

    def customer_of(self, contract_id: str) -> str:
        """Return the address of the customer of a contract."""
        return self._customer_of[contract_id]

    def tickets_of(self, contract_id: str) -> list[str]:
        """Return the tickets under a contract."""
        return [ticket_id for ticket_id, of in self._contracts.items() if of == contract_id]

    def finish(self, at: datetime) -> None:
        """Let the time of a live desk pass to an instant."""
        for story in self.tickets.values():
            story.advance(max(at, story.present) if self.is_live else at)
