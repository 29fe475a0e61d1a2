"""All that happened to a desk, told once more to an empty service, gives the same ledger to the last entry."""

from contextlib import asynccontextmanager
from uuid import UUID

from harness import prepared_settings

from billing import consumers
from billing.repository.quotes import find_quote
from billing.repository.work import find_work
from billing.schemas.accounts import GrantCreate, StandingCreate
from billing.schemas.quotes import AcceptanceCreate, AmountInput, QuoteCreate
from billing.schemas.work import VoidCreate, WorkCreate
from billing.usecases import accounts, contracts, quotes, verification, work
from plazo.events.envelope import Envelope
from plazo.runtime import policies
from plazo.runtime.consumer import Received, merge_handlers
from plazo.runtime.database import Database
from plazo.runtime.unit_of_work import Cause, UnitOfWork

ON_SITE = {"location": "on_site"}
_WORK = ("ticket_id", "kind", "started_at", "minutes", "description", "appointment")
_HANDLERS = merge_handlers(policies.HANDLERS, consumers.HANDLERS)
_LEDGER = """
SELECT t.cause, t.clauses, t.ticket_id, e.effective_at, e.recorded_at, a.account_id, a.name, e.counted_in, e.amount
FROM ledger_entry e JOIN ledger_transaction t USING (transaction_id) JOIN account a USING (account_id)
WHERE e.desk_id = $1
ORDER BY e.recorded_at, t.cause, t.clauses, t.ticket_id, e.effective_at, a.name, e.counted_in, e.amount
"""
# What billing was told by people, and when it was asked: what time brings is written as it is seen. The order is that
# of the ids: one process made all of them.
_TOLD = """
SELECT 'grant' AS what, lot_id AS told_by, lot_id AS about, a.contract_id, NULL AS state,
       (SELECT recorded_at FROM ledger_transaction t WHERE t.idempotency_key = 'grant:' || lot_id) AS at
FROM lot l JOIN account a USING (account_id) WHERE l.desk_id = $1 AND l.cause = 'grant'
UNION ALL SELECT 'standing', change_id, change_id, contract_id, NULL, recorded_at
FROM standing_change WHERE desk_id = $1
UNION ALL SELECT 'work', work_id, work_id, NULL, NULL, recorded_at
FROM work WHERE desk_id = $1 AND logged_by <> 'appointment'
UNION ALL SELECT 'void', min(t.transaction_id::text)::uuid, w.work_id, NULL, NULL, w.voided_at
FROM work w JOIN ledger_transaction t ON t.idempotency_key LIKE 'void:' || w.work_id || '/%'
WHERE w.desk_id = $1 GROUP BY w.work_id, w.voided_at
UNION ALL SELECT 'reading', min(transaction_id::text)::uuid, contract_id, contract_id, NULL, recorded_at
FROM ledger_transaction WHERE desk_id = $1 AND idempotency_key LIKE 'update:%'
GROUP BY split_part(idempotency_key, '/', 1), contract_id, recorded_at
UNION ALL SELECT 'quote', id, (data ->> 'quote_id')::uuid, NULL, data ->> 'state', recorded_at
FROM outbox WHERE desk_id = $1 AND type = 'quote.changed.v1' AND data ->> 'state' <> 'expired'
"""


class Replay:
    """Tells an empty service what a desk's events and people said. It gives work and quotes `ids` of its own."""

    def __init__(self, house, desk_id, database):
        self.house, self.desk_id, self.database = house, desk_id, database
        self.ids = {}

    def uow(self, now):
        return UnitOfWork(database=self.database, producer="billing", desk_id=self.desk_id, now=now, cause=Cause())

    async def everything(self):
        """Return what was said, in order: its id, when it was recorded, and how to say it again."""
        said = []
        for producer, handlers in _HANDLERS.items():
            types = {kind.type(): (kind, handler) for kind, handler in handlers.items()}
            for row in await self.house.events(producer, self.desk_id, *types):
                kind, handler = types[row["type"]]
                fields = {name: row[name] for name in Envelope.model_fields if name != "producer"}
                envelope = Envelope(producer=producer, **fields)
                said.append((row["id"], row["recorded_at"], self._hear, (handler, kind, envelope)))
        told = await self.house.fetch("billing", _TOLD, self.desk_id)
        said += [(row["told_by"], row["at"], getattr(self, row["what"]), (row,)) for row in told]
        return sorted(said, key=lambda one: (one[1], one[0]))

    async def run(self):
        for _, at, say, words in await self.everything():
            await say(self.uow(at), *words)

    async def _hear(self, uow, handler, kind, envelope):
        payload = kind.model_validate(envelope.data)
        if quote_id := getattr(payload, "context", {}).get("quote_id"):
            payload = payload.model_copy(update={"context": {"quote_id": str(self.ids[UUID(quote_id)])}})
        await handler(uow, Received(payload, envelope))

    async def grant(self, uow, row):
        (lot,) = await self.house.fetch("billing", "SELECT * FROM lot WHERE lot_id = $1", row["about"])
        body = GrantCreate(
            quantity=lot["granted"],
            reason=lot["reason"],
            effective_at=lot["effective_from"],
            expires_at=lot["expires_at"],
        )
        await accounts.grant(uow, account_id=lot["account_id"], body=body)

    async def standing(self, uow, row):
        (found,) = await self.house.fetch("billing", "SELECT * FROM standing_change WHERE change_id = $1", row["about"])
        body = StandingCreate(contract_id=row["contract_id"], standing=found["standing"], reason=found["reason"])
        await contracts.change_standing(uow, body=body)

    async def work(self, uow, row):
        async with self.house.runtime("billing").database.system.acquire() as connection:
            was = dict(await find_work(connection, row["about"]))
        body = WorkCreate(
            **{
                name: was[name] for name in ("ticket_id", "kind", "started_at", "minutes", "description", "appointment")
            },
            facts={name: value for name, value in was["facts"].items() if name != "quote_accepted"},
            quote_id=self.ids.get(was["quote_id"]),
        )
        view = await work.log_work(uow, body=body, logged_by=was["logged_by"])
        self.ids[row["about"]] = view.work.work_id

    async def void(self, uow, row):
        await work.void_work(uow, work_id=self.ids[row["about"]], body=VoidCreate(reason="again"))

    async def reading(self, uow, row):
        await accounts.list_accounts(uow, contract_id=row["contract_id"], customer_id=None, cursor=None, limit=1)

    async def quote(self, uow, row):
        async with self.house.runtime("billing").database.system.acquire() as connection:
            was = await find_quote(connection, row["about"])
        if row["state"] == "offered":
            extra = was["extra_minor"] and AmountInput(minor=was["extra_minor"], currency=was["extra_currency"])
            same = {name: was[name] for name in ("ticket_id", "at", "minutes", "facts", "description", "valid_until")}
            view = await quotes.offer_quote(uow, body=QuoteCreate(**same, extra=extra or None), quoted_by="again")
            self.ids[row["about"]] = view.quote_id
        elif row["state"] == "accepted":
            quote_id = self.ids[row["about"]]
            await quotes.accept_quote(uow, quote_id=quote_id, body=AcceptanceCreate(), customer_id=None, by="again")
        else:
            await quotes.release_quote(uow, quote_id=self.ids[row["about"]], by="again")


@asynccontextmanager
async def an_empty_service(house):
    """Open an empty database of billing."""
    settings = await prepared_settings(house.postgres, house.nats, ["billing"], suffix="_replayed")
    async with Database.connect(settings["billing"]) as database:
        yield database


async def live(desk):
    """Let a desk live: grants, holds and payment, work in time, late and taken back, quotes, what expires."""
    admin = desk.admin
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    held = await desk.open_ticket(contract)
    page = await admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}")
    grants = f"/v1/accounts/{page['items'][0]['account_id']}/grants"
    await admin.ok("POST", grants, json={"quantity": 9, "reason": "1", "expires_at": "2026-05-20T00:00:00Z"})
    await admin.ok("POST", grants, json={"quantity": 6, "reason": "2"})
    about = {"contract_id": contract["contract_id"], "reason": "invoice"}
    await admin.ok("POST", "/v1/standings", json={**about, "standing": "overdue"})
    ticket = await desk.open_ticket(contract)
    await admin.ok("POST", "/v1/standings", json={**about, "standing": "good"})
    await desk.settled()

    async def log(ticket, minutes, at, **more):
        body = {"ticket_id": ticket["ticket_id"], "minutes": minutes, "started_at": at, "description": "remote"}
        return (await admin.ok("POST", "/v1/work", json=body | more))["work"]

    async def accepted(minutes):
        planned = {"ticket_id": ticket["ticket_id"], "minutes": minutes, "description": "visit", "facts": ON_SITE}
        body = {**planned, "valid_until": "2026-05-09T13:00:00Z", "extra": {"minor": 900, "currency": "USD"}}
        quote = await admin.ok("POST", "/v1/quotes", json=body)
        await admin.ok("POST", f"/v1/quotes/{quote['quote_id']}/accept")
        return quote

    wrong = await log(held, 121, "2026-05-04T12:00:00Z")
    quote = await accepted(90)
    await log(ticket, 30, "2026-05-04T13:00:00Z", facts=ON_SITE, quote_id=quote["quote_id"])
    await admin.ok("POST", f"/v1/quotes/{(await accepted(60))['quote_id']}/release")
    await log(held, 0, "2026-05-04T12:30:00Z", kind="no_show", appointment="visit")
    await desk.settled()
    await desk.advance(to="2026-06-02T13:00:00Z")  # the quote is over, a grant has expired, a month has ended
    await admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}")
    await log(ticket, 61, "2026-05-05T12:00:00Z")  # late: what expired pays for it
    await admin.ok("POST", f"/v1/work/{wrong['work_id']}/void", json={"reason": "another ticket's"})
    await desk.settled()


async def test_an_empty_service_comes_to_the_same_ledger_by_the_same_events(desk, house):
    await live(desk)
    before = [tuple(row) for row in await house.fetch("billing", _LEDGER, desk.desk_id)]
    async with an_empty_service(house) as database:
        replay = Replay(house, desk.desk_id, database)

        await replay.run()

        after = [tuple(row) for row in await database.system.fetch(_LEDGER, desk.desk_id)]
        assert after == before
        assert len(before) > 30
        assert {"grant", "post", "reserve", "expire", "correct"} == {entry[0] for entry in before}
        assert (await verification.verify_ledger(replay.uow((await replay.everything())[-1][1]))).faults == []
