"""Finding tickets: the queue's order, filters, counts, kept views, and search."""

from typing import Any
from uuid import UUID

import asyncpg
from harness import DeskUnderTest, House

FILL = """
INSERT INTO ticket (ticket_id, desk_id, number, version, state, cycle, subject, description, channel, customer_id,
  customer_name, policy, policy_version, language, given, facts, covered, clocks, admission, waits, level, opened_at,
  closed_at, queue_rank, next_due_at)
SELECT uuidv7(), $1, $4 || n, 1, CASE WHEN n % 10 = 0 THEN 'new' ELSE 'closed' END, 1, 'a', 'b', 'email', $2,
  'Grande', 'expande', '2026-01', 'es', '{}', '{"severity": "minor"}', true, true, 'not_required', '{}', 1,
  timestamptz '2026-01-01Z' + n * interval '1 minute', CASE WHEN n % 10 > 0 THEN now() END, n % 5,
  timestamptz '2026-06-01Z' + (n % 97) * interval '1 hour'
FROM generate_series(1, $3) AS n
"""


async def numbers(desk: DeskUnderTest, **query: Any) -> list[str]:
    """Return the numbers of the tickets that a list has."""
    return [one["number"] for one in (await desk.admin.ok("GET", "/v1/tickets", params=query))["items"]]


async def by_words(client: Any, words: str) -> list[str]:
    """Return the numbers of the tickets that a search finds."""
    return [one["ticket"]["number"] for one in await client.ok("GET", "/v1/search", params={"q": words})]


class TestQueue:
    async def test_is_ordered_by_grade_and_then_by_what_is_due_first(self, desk: DeskUnderTest):
        # IRE-03: within a severity VIP before Plus before Standard.
        await desk.publish("ireo")
        contracts = {plan: await desk.customer("ireo", plan=plan) for plan in ("standard", "plus", "vip")}
        made = [
            await desk.open_ticket(contracts[plan], facts={"impact": impact})
            for impact in ("limited", "stopped")
            for plan in ("standard", "plus", "vip")
        ]
        await desk.advance(to="2026-05-04T13:05:00Z")
        made.append(await desk.open_ticket(contracts["vip"], facts={"impact": "stopped"}))  # as grave, due later

        # limited is severity 3, stopped is 1: made as 3s 3p 3v 1s 1p 1v 1v
        standard3, plus3, vip3, standard1, plus1, vip1, vip1_later = [one["number"] for one in made]
        order = [vip1, vip1_later, plus1, standard1, vip3, plus3, standard3]
        assert await numbers(desk, order="queue") == order
        paged, cursor = [], None
        while True:
            page = await desk.admin.ok(
                "GET", "/v1/tickets", params={"order": "queue", "limit": 2} | ({"cursor": cursor} if cursor else {})
            )
            paged += [one["number"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert paged == order
        await desk.admin.ok("POST", f"/v1/tickets/{made[5]['ticket_id']}/closings", json={"reason": "withdrawn"})
        assert await numbers(desk, order="queue") == [vip1_later, *order[2:]]

    async def test_filters_and_counts(self, desk: DeskUnderTest):
        await desk.publish("ireo")
        vip, standard = await desk.customer("ireo", plan="vip"), await desk.customer("ireo", plan="standard")
        grave = await desk.open_ticket(vip, facts={"impact": "stopped"})  # severity 1: first response within 1 h
        small = await desk.open_ticket(standard, facts={"impact": "limited"})
        gone = await desk.open_ticket(standard, facts={"impact": "limited"})
        await desk.admin.ok("POST", f"/v1/tickets/{gone['ticket_id']}/closings", json={"reason": "withdrawn"})
        await desk.advance(to="2026-05-04T14:30:00Z")  # an hour and a half later

        g, s, x = (one["number"] for one in (grave, small, gone))
        assert await numbers(desk, breached=True) == [g]
        assert await numbers(desk, plan="standard") == [x, s]
        assert await numbers(desk, state=[small["state"], "closed"], plan="standard") == [x, s]
        assert await numbers(desk, severity="1") == [g]
        assert await numbers(desk, customer_id=vip["customer_id"]) == [g]
        assert await numbers(desk, order="due", due_before="2026-05-04T15:00:00Z") == [g]
        assert await numbers(desk, held=True) == []
        await desk.admin.refused(422, "GET", "/v1/tickets", params={"state": "sleeping"})
        counts = await desk.admin.ok("GET", "/v1/tickets/counts", params={"by": "plan,breached"})
        assert counts == {"plan": {"standard": 2, "vip": 1}, "breached": {"false": 2, "true": 1}}
        await desk.admin.refused(422, "GET", "/v1/tickets/counts", params={"by": "description"})

        view = {"name": "Lo roto", "filter": {"breached": True, "severity": "1"}}
        saved = await desk.admin.ok("POST", "/v1/views", json=view)
        assert (saved["filter"], saved["count"]) == (view["filter"], 1)
        await desk.admin.ok("POST", "/v1/views", json=view | {"filter": {"plan": "standard"}})
        [kept] = await desk.admin.ok("GET", "/v1/views")
        assert (kept["view_id"], kept["count"]) == (saved["view_id"], 2)
        await desk.admin.ok("DELETE", f"/v1/views/{saved['view_id']}")
        assert await desk.admin.ok("GET", "/v1/views") == []

    async def test_customer_with_many_tickets_pages_by_an_index(self, house: House, desk: DeskUnderTest):
        customer = await desk.admin.ok("POST", "/v1/customers", json={"name": "Grande"})
        other = await desk.admin.ok("POST", "/v1/customers", json={"name": "Otro"})
        for one, prefix in ((customer, "M-"), (other, "O-")):
            await house.fetch("tickets", FILL, desk.desk_id, UUID(one["customer_id"]), 20_000, prefix)
        await house.analyze("tickets", "ticket")
        first = await desk.admin.ok("GET", "/v1/tickets", params={"customer_id": customer["customer_id"], "limit": 200})
        assert [first["items"][place]["number"] for place in (0, -1)] == ["M-20000", "M-19801"]

        connection = await asyncpg.connect(house.settings["tickets"].database_url.get_secret_value())
        try:
            await connection.execute("BEGIN")
            await connection.execute("SELECT set_config('plazo.desk', $1, true)", str(desk.desk_id))
            for where, order in (
                (
                    "closed_at IS NULL AND (queue_rank, next_due_at, ticket_id) > (2, '2026-06-03Z', uuidv7())",
                    "queue_rank, next_due_at, ticket_id",
                ),
                ("(opened_at, ticket_id) < ('2026-01-09Z', gen_random_uuid())", "opened_at DESC, ticket_id DESC"),
            ):
                plan = await connection.fetchval(
                    "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM ticket "
                    f"WHERE customer_id = '{customer['customer_id']}' AND {where} ORDER BY {order} LIMIT 51"
                )
                assert "Sort" not in plan
                assert "ticket_customer_" in plan
                assert '"Rows Removed by Filter": 0' in plan or "Rows Removed by Filter" not in plan
        finally:
            await connection.close()


async def test_a_customer_is_not_told_who_has_a_ticket_by_asking_for_it(desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    await desk.open_ticket(contract)
    mine = await desk.key("requester", customer_id=contract["customer_id"])
    for path in ("/v1/tickets", "/v1/tickets/counts"):
        for name in ("Marta Agente", "nadie"):
            problem = await mine.refused(403, "GET", path, params={"assignee": name})
            assert "assignee" in problem["detail"]
            await desk.admin.ok("GET", path, params={"assignee": name})
        await mine.ok("GET", path, params={"team": "x"})


class TestSearch:
    async def test_finds_by_number_subject_and_texts_whatever_the_accents(self, desk: DeskUnderTest):
        await desk.publish("expande")
        contract = await desk.customer("expande", plan="basic")
        one = await desk.open_ticket(contract, subject="La impresión sale en blanco", description="Desde ayer")
        two = await desk.open_ticket(contract, subject="Printers are failing", description="Every morning <b>now</b>")
        await desk.admin.ok("POST", f"/v1/tickets/{two['ticket_id']}/replies", json={"text": "Cambiamos el tóner"})
        note = {"text": "El cliente es un pesado", "internal": True}
        await desk.admin.ok("POST", f"/v1/tickets/{two['ticket_id']}/replies", json=note)
        mine = await desk.key("requester", customer_id=contract["customer_id"])
        other = await desk.key("requester", customer_id=(await desk.customer("expande", plan="basic"))["customer_id"])

        assert await by_words(desk.admin, "IMPRESION") == [one["number"]]
        assert await by_words(desk.admin, "impresiones") == [one["number"]]  # the Spanish stem
        assert await by_words(desk.admin, "printer failed") == [two["number"]]  # the English one
        assert await by_words(desk.admin, "toner") == [two["number"]]
        assert await by_words(desk.admin, "exp-1") == [one["number"]]
        assert await by_words(desk.admin, "EXP-") == [two["number"], one["number"]]  # the newest first
        assert await by_words(desk.admin, "pesado") == [two["number"]]
        assert await by_words(mine, "pesado") == []
        assert await by_words(mine, "tóner") == [two["number"]]
        assert await by_words(other, "tóner") == []
        assert await by_words(desk.admin, "nada de esto") == []
        [hit] = await desk.admin.ok("GET", "/v1/search", params={"q": "toner"})
        assert "«tóner»" in hit["snippet"]

    async def test_takes_any_words(self, desk: DeskUnderTest):
        for words in ("'", "a & | !", "(((", ":*", "\\", "%", "<->", "ñ" * 200):
            assert await by_words(desk.admin, words) == []

    async def test_other_desks_are_not_found(self, house: House, desk: DeskUnderTest):
        await desk.publish("expande")
        await desk.open_ticket(await desk.customer("expande", plan="basic"), subject="Cachalote")
        stranger = await house.new_desk()
        assert await by_words(stranger.admin, "cachalote") == []
        assert await by_words(stranger.admin, "EXP-1") == []
