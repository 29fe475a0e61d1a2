"""The rest of a ticket's life over HTTP: receipt, waits with an end, attempts, appointments, relations, and what a
customer sees of it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import DeskUnderTest

from plazo.policies import policy_text
from tickets.repository.timeline import READ, Entry, add_entries


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract under the policy of expande, which lets everybody in and has no rules of its own here."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic", segment="cinema", language="es")


@pytest.fixture
async def ticket(desk: DeskUnderTest, contract: dict[str, Any]) -> dict[str, Any]:
    """Return a ticket at rest."""
    return await desk.open_ticket(contract)


def path_of(ticket: dict[str, Any], more: str = "") -> str:
    return f"/v1/tickets/{ticket['ticket_id']}{more}"


async def kinds_of(desk: DeskUnderTest, ticket: dict[str, Any]) -> list[str]:
    """Return the kinds of the timeline's entries."""
    return [entry["kind"] for entry in (await desk.admin.ok("GET", path_of(ticket, "/timeline")))["items"]]


async def announced(desk: DeskUnderTest, ticket: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    """Return what tickets announced about a ticket, of some types."""
    rows = await desk.house.events("tickets", desk.desk_id, *types)
    return [row["data"] for row in rows if str(row["aggregate_id"]) == ticket["ticket_id"]]


class TestReceipt:
    async def test_of_the_customer_s_message_acknowledges(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        assert (ticket["state"], ticket["acknowledged_at"]) == ("acknowledged", "2026-05-04T13:00:00Z")
        taken = await desk.admin.ok("POST", path_of(ticket, "/acknowledgements"), json={})
        assert taken["state"] == "acknowledged"
        await desk.admin.ok("POST", path_of(ticket, "/replies"), json={"text": "Hola"})
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/acknowledgements"), json={})
        assert problem["legal"] == sorted(problem["legal"])
        assert "resolve" in problem["legal"]
        assert problem["state"] == "in_progress"

    async def test_by_hand_names_the_channel_it_was_confirmed_by(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        await desk.admin.ok("POST", path_of(ticket, "/acknowledgements"), json={"channel": "phone"})
        receipts = await announced(desk, ticket, "ticket.answered.v1")
        assert (receipts[-1]["activity"], receipts[-1]["channel"]) == ("receipt", "phone")


class TestWait:
    async def test_ends_by_itself_at_its_instant(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        body = {"cause": "agreed_window", "reason": "ventana", "until": "2026-05-05T06:00:00.5Z"}
        waiting = await desk.admin.ok("POST", path_of(ticket, "/waits"), json=body)
        assert waiting["waiting"] == [
            {
                "cause": "agreed_window",
                "reason": "ventana",
                "since": "2026-05-04T13:00:00Z",
                "until": "2026-05-05T06:00:00.500000Z",
            }
        ]
        await desk.settled()
        await desk.advance(to="2026-05-05T06:00:00Z")
        assert (await desk.ticket(ticket))["state"] == "waiting"
        await desk.advance(to="2026-05-05T09:00:00Z")
        assert (await desk.ticket(ticket))["state"] == "in_progress"
        entries = (await desk.admin.ok("GET", path_of(ticket, "/timeline")))["items"]
        (ended,) = [entry for entry in entries if entry["kind"] == "wait_ended"]
        assert (ended["actor"], ended["occurred_at"]) == ("time", "2026-05-05T06:00:00.500000Z")

    async def test_ended_before_leaves_the_next_alone(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        body = {"cause": "vendor", "reason": "a", "until": "2026-05-05T06:00:00Z"}
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json=body)
        await desk.admin.ok("POST", path_of(ticket, "/waits/vendor/end"))
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "vendor", "reason": "b"})
        await desk.settled()
        await desk.advance(to="2026-05-05T09:00:00Z")
        assert (await desk.ticket(ticket))["waits"] == ["vendor"]

    async def test_must_not_have_ended_already(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        body = {"cause": "vendor", "reason": "a", "until": "2026-05-04T13:00:00Z"}
        problem = await desk.admin.refused(422, "POST", path_of(ticket, "/waits"), json=body)
        assert problem["errors"][0]["pointer"] == "/until"


class TestAttempts:
    async def test_an_answer_takes_back_the_closing(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic")
        ticket = await desk.open_ticket(contract)
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        wait = {"cause": "customer", "reason": "faltan los registros"}
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json=wait)
        call = {"channel": "email", "result": "sent", "text": "¿Sigue ahí?", "closes_at": "2026-05-20T23:00:00Z"}
        for _ in range(3):
            tried = await desk.admin.ok("POST", path_of(ticket, "/attempts"), json=call)
        assert tried["attempts"] == {"made": 3, "closes_at": "2026-05-20T23:00:00Z"}

        replied = await customer.ok("POST", path_of(ticket, "/replies"), json={"text": "Aquí estoy"})
        await desk.settled()
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json=wait)
        await desk.advance(to="2026-05-21T13:00:00Z")

        assert replied["attempts"] == {"made": 0, "closes_at": None}
        assert (await desk.ticket(ticket))["state"] == "waiting"
        made = await desk.admin.ok(
            "POST", path_of(ticket, "/attempts"), json=call | {"closes_at": "2026-06-30T23:00:00Z"}
        )
        assert made["attempts"]["made"] == 1
        # A wait announced shorter than the policy's is no such wait.
        short = await desk.admin.refused(
            422, "POST", path_of(ticket, "/attempts"), json=call | {"closes_at": "2026-05-22T00:00:00Z"}
        )
        assert short["clause"] == "PRO-20"

    async def test_without_a_rule_nothing_is_abandoned(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "customer", "reason": "a"})
        await desk.admin.ok("POST", path_of(ticket, "/attempts"), json={"channel": "phone", "result": "no_answer"})
        (made,) = await desk.admin.ok("GET", path_of(ticket, "/attempts"))
        assert (made["attempt"], made["not_counted_for"]) == (None, "no_rule")
        await desk.admin.refused(409, "POST", path_of(ticket, "/closings"), json={"reason": "abandoned"})

    async def test_need_a_wait_for_the_customer(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "vendor", "reason": "a"})
        body = {"channel": "phone", "result": "no_answer"}
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/attempts"), json=body)
        assert problem["type"] == "urn:plazo:problem:not-awaiting-customer"


class TestReopening:
    async def test_after_the_window_a_linked_request_is_the_way(self, desk: DeskUnderTest):
        text = policy_text("expande") + "\nlifecycle: {reopening: {window: 2 days, clause: EXP-07}}\n"
        await desk.admin.ok("POST", "/v1/policies", json={"document": text})
        contract = await desk.customer("expande", plan="basic")
        ticket = await desk.open_ticket(contract)
        await desk.admin.ok("POST", path_of(ticket, "/resolutions"), json={"text": "Hecho"})
        await desk.admin.ok("POST", path_of(ticket, "/closings"), json={"reason": "confirmed"})
        await desk.settled()
        await desk.advance(to="2026-05-06T13:00:00.000001Z")

        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/reopenings"), json={"reason": "otra vez"})
        body = {"subject": "Otra vez", "description": "Volvió", "kind": "continues"}
        response = await desk.admin.post(path_of(ticket, "/additional-requests"), json=body)

        assert (problem["clause"], problem["until"]) == ("EXP-07", "2026-05-06T13:00:00+00:00")
        opened = response.json()
        assert response.headers["location"] == path_of(opened)
        (link,) = await desk.admin.ok("GET", path_of(opened, "/links"))
        assert (link["kind"], link["direction"], link["ticket_id"]) == ("continues", "out", ticket["ticket_id"])


class TestAppointment:
    @pytest.fixture
    async def appointment(self, desk: DeskUnderTest, ticket: dict[str, Any]) -> dict[str, Any]:
        """Return an appointment at 15:00 that the ticket waits for."""
        body = {"starts_at": "2026-05-04T15:00:00Z", "ends_at": "2026-05-04T16:00:00Z", "wait": True}
        made: dict[str, Any] = await desk.admin.ok("POST", path_of(ticket, "/appointments"), json=body)
        await desk.settled()
        return made

    async def test_is_missed_once(self, desk: DeskUnderTest, ticket: dict[str, Any], appointment: dict[str, Any]):
        path = f"/v1/appointments/{appointment['appointment_id']}"
        assert (await desk.ticket(ticket))["waits"] == ["agreed_window"]
        await desk.admin.refused(409, "POST", f"{path}/no-show")
        await desk.admin.refused(409, "POST", f"{path}/kept")
        await desk.advance(to="2026-05-04T15:00:00Z")
        assert (await desk.ticket(ticket))["waits"] == []

        answers = await asyncio.gather(*(desk.admin.post(f"{path}/no-show") for _ in range(3)))

        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
        (missed,) = await announced(desk, ticket, "appointment.missed.v1")
        assert missed["appointment_id"] == appointment["appointment_id"]
        (listed,) = await desk.admin.ok("GET", path_of(ticket, "/appointments"))
        assert listed["state"] == "missed"

    async def test_is_cancelled_by_the_customer(
        self, desk: DeskUnderTest, ticket: dict[str, Any], appointment: dict[str, Any]
    ):
        customer = await desk.key("requester", customer_id=ticket["customer_id"])
        path = f"/v1/appointments/{appointment['appointment_id']}/cancel"
        cancelled = await customer.ok("POST", path, json={"reason": "no puedo"})
        assert (cancelled["state"], cancelled["late"]) == ("cancelled", False)
        assert (await desk.ticket(ticket))["waits"] == []
        (told,) = await announced(desk, ticket, "appointment.cancelled.v1")
        assert (told["cancelled_by"], told["late"]) == ("customer", False)

    async def test_of_another_customer_is_not_known(self, desk: DeskUnderTest, appointment: dict[str, Any]):
        other = await desk.customer("expande", plan="basic")
        stranger = await desk.key("requester", customer_id=other["customer_id"])
        path = f"/v1/appointments/{appointment['appointment_id']}/cancel"
        await stranger.refused(404, "POST", path, json={})

    async def test_needs_a_length_and_a_ticket_that_goes_on(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        body = {"starts_at": "2026-05-04T15:00:00Z", "ends_at": "2026-05-04T15:00:00Z"}
        problem = await desk.admin.refused(422, "POST", path_of(ticket, "/appointments"), json=body)
        assert problem["errors"][0]["pointer"] == "/ends_at"
        await desk.admin.ok("POST", path_of(ticket, "/closings"), json={"reason": "withdrawn"})
        body["ends_at"] = "2026-05-04T16:00:00Z"
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/appointments"), json=body)
        assert problem["legal"] == ["reopen"]


class TestMerge:
    async def test_goes_on_in_the_other_with_both_histories(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        target = await desk.open_ticket(contract, subject="La misma")
        body = {"into": target["ticket_id"], "reason": "es la misma avería"}

        merged = await desk.admin.ok("POST", path_of(ticket, "/merges"), json=body)
        await customer.ok("POST", path_of(ticket, "/replies"), json={"text": "¿Alguna novedad?"})
        await desk.settled()

        assert (merged["state"], merged["closed_for"], merged["merged_into"]) == (
            "closed",
            "merged",
            target["ticket_id"],
        )
        source = await desk.ticket(ticket)
        assert {clock["state"] for clock in source["clocks"]} <= {"cancelled", "met"}
        assert "customer_reply" in await kinds_of(desk, target)
        assert (await kinds_of(desk, ticket))[-1] != "customer_reply"
        (link,) = await customer.ok("GET", path_of(target, "/links"))
        assert (link["kind"], link["direction"], link["number"]) == ("merged_into", "in", ticket["number"])
        assert {"opened", "merged"} <= set(await kinds_of(desk, ticket))
        assert "merged_in" in await kinds_of(desk, target)
        both = await customer.ok("GET", path_of(target, "/timeline"), params={"merged": True})
        assert [entry["kind"] for entry in both["items"]].count("opened") == 2
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/reopenings"), json={"reason": "a"})
        assert problem["into"] == target["ticket_id"]

    async def test_crosswise_at_once_leaves_one_open(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        target = await desk.open_ticket(contract)
        answers = await asyncio.gather(
            desk.admin.post(path_of(ticket, "/merges"), json={"into": target["ticket_id"]}),
            desk.admin.post(path_of(target, "/merges"), json={"into": ticket["ticket_id"]}),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]

    async def test_is_of_one_customer_and_into_what_goes_on(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        foreign = await desk.open_ticket(await desk.customer("expande", plan="basic"))
        over = await desk.open_ticket(contract)
        await desk.admin.ok("POST", path_of(over, "/closings"), json={"reason": "withdrawn"})
        for target, status in ((foreign, 409), (over, 409), (ticket, 422)):
            body = {"into": target["ticket_id"]}
            await desk.admin.refused(status, "POST", path_of(ticket, "/merges"), json=body)


class TestSplit:
    async def test_has_its_own_clocks_and_leaves_the_work(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        await desk.advance(to="2026-05-04T15:00:00Z")
        body = {"subject": "La impresora", "description": "Eso es otra cosa"}
        now = await desk.admin.ok("POST", path_of(ticket, "/splits"), json=body)
        then = await desk.admin.ok("POST", path_of(ticket, "/splits"), json=body | {"since": "2026-05-04T14:00:00Z"})
        await desk.settled()

        for part, since in ((now, "2026-05-04T15:00:00Z"), (then, "2026-05-04T14:00:00Z")):
            read = await desk.ticket(part)
            assert {clock["started_at"] for clock in read["clocks"]} == {since}
            assert read["customer_id"] == ticket["customer_id"]
        links = await desk.admin.ok("GET", path_of(ticket, "/links"))
        assert [(link["kind"], link["direction"]) for link in links] == [("split_from", "in")] * 2
        for since in ("2026-05-04T12:59:59Z", "2026-05-04T15:00:01Z"):
            await desk.admin.refused(422, "POST", path_of(ticket, "/splits"), json=body | {"since": since})


class TestLinks:
    async def test_are_said_once_and_of_another_ticket(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        other = await desk.open_ticket(contract)
        body = {"ticket": other["ticket_id"], "kind": "caused_by"}
        first = await desk.admin.ok("POST", path_of(ticket, "/links"), json=body)
        second = await desk.admin.ok("POST", path_of(ticket, "/links"), json=body)
        assert first["version"] == second["version"]
        (linked,) = await announced(desk, ticket, "ticket.linked.v1")
        assert (linked["other_id"], linked["other_customer_id"]) == (other["ticket_id"], None)
        itself = {"ticket": ticket["ticket_id"]}
        await desk.admin.refused(422, "POST", path_of(ticket, "/links"), json=itself)

    async def test_follow_from_the_number_that_a_request_names(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        about = await desk.open_ticket(contract, about_ticket=ticket["number"])
        await desk.open_ticket(contract, about_ticket="EXP-999")
        foreign = await desk.customer("expande", plan="basic")
        await desk.open_ticket(foreign, about_ticket=ticket["number"])
        (link,) = await desk.admin.ok("GET", path_of(ticket, "/links"))
        assert (link["kind"], link["direction"], link["ticket_id"]) == ("related", "in", about["ticket_id"])
        assert len(await announced(desk, about, "ticket.linked.v1")) == 1

    async def test_of_other_customers_are_not_shown_to_one(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        foreign = await desk.open_ticket(await desk.customer("expande", plan="basic"))
        await desk.admin.ok("POST", path_of(ticket, "/links"), json={"ticket": foreign["ticket_id"]})
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        assert await customer.ok("GET", path_of(ticket, "/links")) == []
        assert len(await desk.admin.ok("GET", path_of(ticket, "/links"))) == 1
        told = [(await one.ok("GET", path_of(ticket, "/timeline")))["items"] for one in (customer, desk.admin)]
        assert foreign["number"] not in str(told[0])
        (linked,) = await announced(desk, ticket, "ticket.linked.v1")
        assert linked["other_customer_id"] == foreign["customer_id"]
        assert [entry["data"]["number"] for entry in told[1] if entry["kind"] == "linked"] == [foreign["number"]]


class TestLongTimeline:
    async def test_pages_in_order_and_in_constant_time(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        runtime, at = desk.house.runtime("tickets"), datetime(2026, 5, 4, 14, tzinfo=UTC)
        replies = [
            Entry(kind="reply", actor="agent: Luis", occurred_at=at + timedelta(minutes=n // 3), text=str(n))
            for n in range(1000)
        ]
        async with runtime.unit_of_work(desk_id=desk.desk_id, now=at).begin() as tx:
            await add_entries(tx, UUID(ticket["ticket_id"]), replies)

        read: list[str] = []
        query: dict[str, Any] = {"limit": 200}
        while True:
            page = await desk.admin.ok("GET", path_of(ticket, "/timeline"), params=query)
            read += [entry["text"] for entry in page["items"] if entry["kind"] == "reply"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]

        assert read == [str(n) for n in range(1000)]
        await desk.house.analyze("tickets", "timeline_entry")
        # The planner must not know the position: the plan of a prepared statement that is used often.
        async with runtime.unit_of_work(desk_id=desk.desk_id, now=at).begin() as tx:
            await tx.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await tx.connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            await tx.connection.execute(f"PREPARE page AS {READ}")
            rows = await tx.connection.fetch(f"EXPLAIN EXECUTE page ('{ticket['ticket_id']}', '{at}', 0, true, 200)")
            await tx.connection.execute("DEALLOCATE page")
        plan = "\n".join(line for (line,) in rows)
        assert "ROW(occurred_at, seq) >" in plan.partition("Index Cond")[2].partition("\n")[0], plan
        assert "Sort" not in plan, plan


class TestCustomer:
    async def test_never_sees_what_is_internal(
        self, desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]
    ):
        secret = "solo para nosotros"
        note = {"text": secret, "internal": True}
        await desk.admin.ok("POST", path_of(ticket, "/replies"), json=note)
        await desk.admin.ok("POST", path_of(ticket, "/assessments"), json={"solvable": False, "design": secret})
        await desk.settled()
        customer = await desk.key("requester", customer_id=contract["customer_id"])

        paths = desk.house.apps["tickets"].openapi()["paths"]
        walked = {
            path: (await customer.get(path.replace("{ticket_id}", ticket["ticket_id"])))
            for path, operations in paths.items()
            if "get" in operations and (path == "/v1/tickets" or path.startswith("/v1/tickets/{ticket_id}"))
            if path.count("{") <= 1
        }

        assert walked["/v1/tickets/{ticket_id}/timeline"].status_code == 200
        assert walked["/v1/tickets/{ticket_id}/assessments"].status_code == 403
        assert [path for path, answer in walked.items() if secret in answer.text] == []
        assert secret in (await desk.admin.get(path_of(ticket, "/timeline"))).text

    async def test_may_not_do_what_the_desk_does(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        customer = await desk.key("requester", customer_id=ticket["customer_id"])
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "customer", "reason": "a"})
        await customer.refused(403, "POST", path_of(ticket, "/closings"), json={"reason": "abandoned"})
        call = {"channel": "phone", "result": "no_answer"}
        await customer.refused(403, "POST", path_of(ticket, "/attempts"), json=call)


async def test_settling_an_appointment_leaves_the_wait_for_another(desk: DeskUnderTest, ticket: dict[str, Any]):
    async def agree(day: str) -> str:
        hours = {"starts_at": f"2026-05-{day}T15:00:00Z", "ends_at": f"2026-05-{day}T16:00:00Z"}
        path = f"/v1/tickets/{ticket['ticket_id']}/appointments"
        agreed = await desk.admin.ok("POST", path, json=hours | {"wait": True})
        await desk.settled()
        appointment_id: str = agreed["appointment_id"]
        return appointment_id

    async def waits() -> list[str]:
        await desk.settled()
        found: list[str] = (await desk.ticket(ticket))["waits"]
        return found

    first = await agree("04")
    await desk.advance(to="2026-05-04T15:30:00Z")
    assert await waits() == []
    second = await agree("05")
    await desk.admin.ok("POST", f"/v1/appointments/{first}/kept")
    assert await waits() == ["agreed_window"]
    await desk.advance(to="2026-05-05T14:00:00Z")
    await desk.admin.ok("POST", f"/v1/appointments/{second}/cancel", json={"reason": "no puede ser"})
    assert await waits() == []
