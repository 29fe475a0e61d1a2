"""A ticket from its opening to its end, over HTTP, in a house where all four services run."""

import asyncio
from typing import Any

import pytest
from harness import DeskUnderTest

from plazo.policies import policy_text


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract under the policy of expande, which lets everybody in."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic", segment="cinema", language="es")


@pytest.fixture
async def ticket(desk: DeskUnderTest, contract: dict[str, Any]) -> dict[str, Any]:
    """Return a ticket at rest."""
    return await desk.open_ticket(contract, facts={"partial_interruption_minutes": 45})


def path_of(ticket: dict[str, Any], more: str = "") -> str:
    return f"/v1/tickets/{ticket['ticket_id']}{more}"


async def timeline(desk: DeskUnderTest, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what tickets itself wrote into a timeline, not what it learnt from others."""
    entries: list[dict[str, Any]] = (await desk.admin.ok("GET", path_of(ticket, "/timeline")))["items"]
    others = ("sla-clock", "escalation", "billing")
    return [entry for entry in entries if entry["actor"] not in others]


async def announced(desk: DeskUnderTest, ticket: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return type and data of what tickets announced about a ticket."""
    rows = await desk.house.events("tickets", desk.desk_id)
    return [(row["type"], row["data"]) for row in rows if str(row["aggregate_id"]) == ticket["ticket_id"]]


class TestOpening:
    async def test_shows_what_was_decided_and_by_which_clause(self, desk: DeskUnderTest, contract: dict[str, Any]):
        body = {
            "contract_id": contract["contract_id"],
            "subject": "  No\n arranca ",
            "description": " Tal cual \n",
            "channel": "portal",
            "contact_name": "Ana",
            "contact_email": "ana@example.com",
            "facts": {"partial_interruption_minutes": 46},
        }
        response = await desk.admin.post("/v1/tickets", json=body)
        opened = response.json()

        assert response.status_code == 201
        assert response.headers["location"] == f"/v1/tickets/{opened['ticket_id']}"
        assert response.headers["etag"] == '"1"'
        expected = {
            "number": "EXP-1",
            "version": 1,
            "state": "new",
            "cycle": 1,
            "subject": "No arranca",
            "description": " Tal cual \n",
            "channel": "portal",
            "contact_name": "Ana",
            "contact_email": "ana@example.com",
            "contract_id": contract["contract_id"],
            "policy": "expande",
            "policy_version": "2026-01",
            "language": "es",
            "severity": "semi_critical",
            "priority": None,
            "severity_confirmed": None,
            "covered": True,
            "coverage": {"covered": True, "note": {}, "clauses": [], "route": None},
            "flags": ["checklist_incomplete"],
            "received_at": None,
            "contact_id": None,
            "hold": None,
            "waits": [],
            "team": None,
            "level": 1,
            "assignee": None,
            "resolution": None,
            "opened_at": "2026-05-04T13:00:00Z",
            "closed_at": None,
            "closed_for": None,
            "clocks": [],
            "escalations": [],
            "charges": [],
        }
        assert {name: opened[name] for name in expected} == expected
        decisions = await desk.admin.ok("GET", path_of(opened, "/decisions"))
        by_about = {decision["about"]: decision for decision in decisions}
        assert by_about["severity"] == {
            "about": "severity",
            "value": "semi_critical",
            "rule": 5,  # the sixth: partial interruption over 45 minutes
            "clauses": ["EXP-03"],
            "version": 1,
            "decided_at": "2026-05-04T13:00:00Z",
        }

    async def test_announces_it_once_with_all_that_readers_need(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        [(type_, data), *_] = await announced(desk, ticket)
        assert type_ == "ticket.opened.v1"
        assert data["facts"] == ticket["facts"]
        assert data["facts"]["segment"] == "cinema"
        assert data["facts"]["severity"] == "minor"  # 45 minutes are not over 45
        assert (data["policy"], data["policy_version"], data["admission"]) == ("expande", "2026-01", "not_required")

    async def test_numbers_are_the_desk_s_own(self, desk: DeskUnderTest, contract: dict[str, Any]):
        first, second = await desk.open_ticket(contract), await desk.open_ticket(contract)
        stranger = await desk.house.new_desk()
        await stranger.publish("expande")
        theirs = await stranger.open_ticket(await stranger.customer("expande", plan="basic"))
        assert [first["number"], second["number"], theirs["number"]] == ["EXP-1", "EXP-2", "EXP-1"]

    async def test_refused_request_is_kept_with_its_reason(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic")
        body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "phone"}

        problem = await desk.admin.refused(403, "POST", "/v1/tickets", json=body)

        assert (problem["type"], problem["clause"]) == ("urn:plazo:problem:request-not-taken", "PRO-11")
        assert "requiere el envío previo de un correo" in problem["detail"]
        [kept] = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
        assert (kept["outcome"], kept["reason"], kept["clauses"]) == ("refused", "email_first", ["PRO-11"])
        assert kept["body"]["description"] == "b"
        assert (await desk.admin.ok("GET", "/v1/tickets"))["items"] == []

    async def test_policy_version_in_force_on_the_day_is_kept(self, desk: DeskUnderTest, contract: dict[str, Any]):
        old = await desk.open_ticket(contract)
        text = policy_text("expande").replace('version: "2026-01"', 'version: "2026-05"', 1)
        tomorrow = text.replace("effective_from: 2024-01-01", "effective_from: 2026-05-05", 1)
        await desk.admin.ok("POST", "/v1/policies", json={"document": tomorrow})
        before = await desk.open_ticket(contract)
        # 5 May begins in Madrid at 22:00 UTC of the 4th.
        await desk.advance(to="2026-05-04T22:00:00Z")
        after = await desk.open_ticket(contract)
        old = await desk.ticket(old)
        assert [one["policy_version"] for one in (old, before, after)] == ["2026-01", "2026-01", "2026-05"]

    async def test_published_version_is_never_replaced(self, desk: DeskUnderTest, contract: dict[str, Any]):
        await desk.admin.ok("POST", "/v1/policies", json={"document": policy_text("expande")})
        changed = policy_text("expande").replace("> 45", "> 44")
        problem = await desk.admin.refused(409, "POST", "/v1/policies", json={"document": changed})
        assert problem["type"] == "urn:plazo:problem:policy-version-exists"
        assert len(await desk.house.events("tickets", desk.desk_id, "policy.published.v1")) == 1

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"plan": "gold"}, "/plan", id="no such plan"),
            pytest.param({"plan": None}, "/plan", id="no plan"),
            pytest.param({"valid_until": "2020-01-01"}, "/valid_until", id="ends as it begins"),
        ],
    )
    async def test_contract_that_does_not_fit_is_refused(
        self, desk: DeskUnderTest, contract: dict[str, Any], change: dict[str, Any], pointer: str
    ):
        body = {
            "customer_id": contract["customer_id"],
            "policy": "expande",
            "plan": "basic",
            "valid_from": "2020-01-01",
        }
        problem = await desk.admin.refused(422, "POST", "/v1/contracts", json=body | change)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


class TestConversation:
    async def test_reply_of_the_desk_begins_the_work(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        answered = await desk.admin.ok("POST", path_of(ticket, "/replies"), json={"text": "Hola", "channel": "phone"})
        assert answered["state"] == "in_progress"
        type_, data = (await announced(desk, ticket))[-1]
        assert (type_, data["activity"], data["channel"], data["by"]) == (
            "ticket.answered.v1",
            "call",
            "phone",
            "administrator: first key",
        )

    async def test_internal_note_is_no_answer(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        # PRO-15: only contact with the customer counts.
        before = await announced(desk, ticket)
        noted = await desk.admin.ok("POST", path_of(ticket, "/replies"), json={"text": "Ojo", "internal": True})
        assert (noted["state"], await announced(desk, ticket)) == ("acknowledged", before)

    async def test_customer_s_reply_ends_the_wait_for_it(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        requester = await desk.key("requester", customer_id=ticket["customer_id"])
        for cause in ("customer", "vendor"):
            body = {"cause": cause, "reason": "falta algo"}
            waiting = await desk.admin.ok("POST", path_of(ticket, "/waits"), json=body)
        assert (waiting["state"], waiting["waits"]) == ("waiting", ["customer", "vendor"])

        replied = await requester.ok("POST", path_of(ticket, "/replies"), json={"text": "Aquí está"})

        assert (replied["state"], replied["waits"]) == ("waiting", ["vendor"])
        ended = await desk.admin.ok("POST", path_of(ticket, "/waits/vendor/end"))
        assert (ended["state"], ended["waits"]) == ("in_progress", [])
        assert [type_ for type_, _ in await announced(desk, ticket)][-5:] == [
            "ticket.wait_started.v1",
            "ticket.wait_started.v1",
            "ticket.customer_replied.v1",
            "ticket.wait_ended.v1",
            "ticket.wait_ended.v1",
        ]

    async def test_waiting_twice_for_one_is_one_wait(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        for _ in range(2):
            await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "vendor", "reason": "a"})
        types = [type_ for type_, _ in await announced(desk, ticket)]
        assert types.count("ticket.wait_started.v1") == 1
        ended = await desk.admin.ok("POST", path_of(ticket, "/waits/vendor/end"))
        assert ended["state"] == "in_progress"
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/waits/vendor/end"))
        assert "nobody" in problem["detail"]

    async def test_agreed_date_must_be_to_come(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        path = path_of(ticket, "/agreed-dates")
        await desk.admin.refused(422, "POST", path, json={"due_at": "2026-05-04T13:00:00Z"})
        agreed = await desk.admin.ok("POST", path, json={"due_at": "2026-05-04T13:00:00.000001Z"})
        assert agreed["state"] == "in_progress"
        assert (await announced(desk, ticket))[-1][1]["due_at"] == "2026-05-04T13:00:00.000001Z"


class TestFacts:
    async def test_change_decides_again_and_keeps_both_decisions(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        assert ticket["severity"] == "minor"
        changed = await desk.admin.ok("PATCH", path_of(ticket), json={"facts": {"partial_interruption_minutes": 46}})
        assert changed["severity"] == "semi_critical"

        severities = [
            (decision["version"], decision["value"], decision["rule"])
            for decision in await desk.admin.ok("GET", path_of(ticket, "/decisions"))
            if decision["about"] == "severity"
        ]
        assert severities == [(1, "minor", 7), (changed["version"], "semi_critical", 5)]
        type_, data = (await announced(desk, ticket))[-1]
        assert (type_, data["changed"]) == ("ticket.facts_changed.v1", ["partial_interruption_minutes", "severity"])
        [entry] = [entry for entry in await timeline(desk, ticket) if entry["kind"] == "facts_changed"]
        assert entry["data"]["severity"] == ["minor", "semi_critical"]

    async def test_null_withdraws_a_fact(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        for facts, severity in (({"server_down": True}, "critical"), ({"server_down": None}, "minor")):
            changed = await desk.admin.ok("PATCH", path_of(ticket), json={"facts": facts})
            assert changed["severity"] == severity
        assert "server_down" not in changed["facts"]

    async def test_change_that_changes_nothing_is_not_announced(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        before = await announced(desk, ticket)
        await desk.admin.ok("PATCH", path_of(ticket), json={"facts": {"partial_interruption_minutes": 45}})
        assert await announced(desk, ticket) == before

    async def test_excluded_category_takes_the_ticket_out_of_coverage(
        self, desk: DeskUnderTest, ticket: dict[str, Any]
    ):
        changed = await desk.admin.ok("PATCH", path_of(ticket), json={"facts": {"category": "peripherals"}})
        assert changed["covered"] is False
        _, data = (await announced(desk, ticket))[-1]
        assert (data["covered"], data["clocks"]) == (False, False)

    async def test_decided_facts_can_not_be_stated(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        # EXP-06: asking for a plan or severity has no effect.
        problem = await desk.admin.refused(
            422, "PATCH", path_of(ticket), json={"facts": {"severity": "critical", "plan": "enterprise_premium"}}
        )
        assert [error["pointer"] for error in problem["errors"]] == ["/facts/severity", "/facts/plan"]


class TestEnd:
    async def test_resolved_confirmed_reopened(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        requester = await desk.key("requester", customer_id=ticket["customer_id"])
        await desk.admin.ok("POST", path_of(ticket, "/waits"), json={"cause": "customer", "reason": "a"})

        resolved = await desk.admin.ok("POST", path_of(ticket, "/resolutions"), json={"text": "Hecho"})
        assert (resolved["state"], resolved["waits"]) == ("resolved", [])
        assert resolved["resolution"] == {"kind": "fix", "text": "Hecho", "resolved_at": "2026-05-04T13:00:00Z"}

        closed = await requester.ok("POST", path_of(ticket, "/closings"), json={"reason": "confirmed"})
        assert (closed["state"], closed["closed_for"], closed["closed_at"]) == (
            "closed",
            "confirmed",
            "2026-05-04T13:00:00Z",
        )

        reopened = await requester.ok("POST", path_of(ticket, "/reopenings"), json={"reason": "volvió a fallar"})
        assert (reopened["state"], reopened["cycle"], reopened["resolution"], reopened["closed_at"]) == (
            "in_progress",
            2,
            None,
            None,
        )
        kinds = [entry["kind"] for entry in await timeline(desk, ticket)]
        assert kinds[-5:] == ["wait_started", "wait_ended", "resolved", "closed", "reopened"]
        assert [type_ for type_, _ in await announced(desk, ticket)][-4:] == [
            "ticket.wait_ended.v1",
            "ticket.resolved.v1",
            "ticket.closed.v1",
            "ticket.reopened.v1",
        ]

    async def test_what_the_state_does_not_allow_is_refused(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        before = await announced(desk, ticket)
        for action, body in (
            ("closings", {"reason": "confirmed"}),
            ("reopenings", {"reason": "a"}),
            ("waits/customer/end", None),
        ):
            await desk.admin.refused(409, "POST", path_of(ticket, f"/{action}"), json=body)
        assert await announced(desk, ticket) == before

    async def test_refusal_names_what_is_allowed(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        await desk.admin.ok("POST", path_of(ticket, "/closings"), json={"reason": "withdrawn"})
        problem = await desk.admin.refused(409, "POST", path_of(ticket, "/replies"), json={"text": "a"})
        assert problem["type"] == "urn:plazo:problem:illegal-transition"
        assert problem["detail"] == "a ticket that is closed does not allow answer; it allows reopen"

    async def test_resolution_must_be_of_a_kind_the_policy_names(self, desk: DeskUnderTest):
        # SMA-11: description, instructions or accompaniment
        await desk.publish("smartcloud")
        held = await desk.open_ticket(await desk.customer("smartcloud", plan="dedicated"))
        problem = await desk.admin.refused(
            422, "POST", path_of(held, "/resolutions"), json={"kind": "fix", "text": "a"}
        )
        assert [error["pointer"] for error in problem["errors"]] == ["/kind"]

    async def test_two_agents_at_once_have_one_winner(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        agents = [await desk.key("agent"), await desk.key("agent")]
        answers = await asyncio.gather(
            *(agent.post(path_of(ticket, "/resolutions"), json={"text": f"por {n}"}) for n, agent in enumerate(agents))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        await desk.settled()
        [winner] = [answer.json()["resolution"]["text"] for answer in answers if answer.status_code == 201]
        assert (await desk.ticket(ticket))["resolution"]["text"] == winner
        types = [type_ for type_, _ in await announced(desk, ticket)]
        assert types.count("ticket.resolved.v1") == 1

    async def test_two_agents_with_the_same_version_have_one_winner(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        headers = {"If-Match": f'"{ticket["version"]}"'}
        answers = await asyncio.gather(
            *(
                desk.admin.post(path_of(ticket, "/replies"), json={"text": str(number)}, headers=headers)
                for number in range(5)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]
