"""Who gets a ticket, and who gets it next."""

import asyncio
from datetime import timedelta
from uuid import UUID

from integration.escalation.alone import MONDAY, Alone, Desk

from plazo.events import tickets

LATER = MONDAY + timedelta(hours=1)


class TestOpening:
    """PRO-13: every ticket gets a team, and a consultant where there is one."""

    async def test_gives_a_ticket_to_the_least_loaded_of_its_team(self, own_desk: Desk) -> None:
        ana = await own_desk.agent("ana", "support")
        luis = await own_desk.agent("luis", "support")
        await own_desk.agent("eva", "renewals")

        taken = [
            (await own_desk.assignments(await own_desk.ticket("prodequa", {"plan_in_force": True})))[0]["agent_id"]
            for _ in range(4)
        ]

        assert taken == [ana["agent_id"], luis["agent_id"], ana["agent_id"], luis["agent_id"]]

    async def test_shares_out_tickets_that_come_at_the_same_time(self, own_desk: Desk) -> None:
        await own_desk.publish("prodequa")
        for name in ("ana", "luis", "eva"):
            await own_desk.agent(name, "support")

        await asyncio.gather(*(own_desk.ticket("prodequa", {"plan_in_force": True}) for _ in range(9)))

        people = (await own_desk.admin.ok("GET", "/v1/agents"))["items"]
        assert [one["open_tickets"] for one in people] == [3, 3, 3]

    async def test_names_the_team_alone_where_there_is_no_agent(self, own_desk: Desk) -> None:
        """EXP-18."""
        ticket = await own_desk.ticket("expande", {"segment": "cinema"})

        (assignment,) = await own_desk.assignments(ticket)

        assert (assignment["team"], assignment["level"], assignment["agent_id"]) == ("level_1_cinema", 1, None)
        (event,) = await own_desk.events("assignment.made.v1", about=ticket)
        assert event["data"]["team"] == "level_1_cinema"
        assert event["data"]["clauses"] == ["EXP-18"]
        assert event["occurred_at"] == MONDAY

    async def test_happens_once_however_often_the_ticket_is_heard_of(self, alone: Alone, own_desk: Desk) -> None:
        await own_desk.agent("ana", "support")
        await own_desk.publish("prodequa")
        ticket = await own_desk.ticket("prodequa")
        rows = await alone.fetch("SELECT * FROM inbox_position WHERE aggregate_id = $1", ticket)
        opened = alone.envelope(
            tickets.CustomerReplied(channel="email", by="x"), desk_id=own_desk.desk_id, about=ticket, at=MONDAY
        )

        # The same id and version again: what a redelivery after a crash looks like.
        again = {"id": rows[0]["event_id"], "aggregate_version": rows[0]["version"]}
        await alone.handle(opened.model_copy(update=again))

        assert len(await own_desk.assignments(ticket)) == 1
        assert len(await own_desk.messages(ticket)) == 1

    async def test_gives_waiting_tickets_to_an_agent_who_joins(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})

        ana = await own_desk.agent("ana", "support")

        last = (await own_desk.assignments(ticket))[-1]
        assert (last["agent_id"], last["reason"]) == (ana["agent_id"], "agent_available")
        assert ana["open_tickets"] == 1


class TestReassignment:
    """Who has it now depends on the facts, and on who is there."""

    async def test_moves_a_ticket_whose_facts_belong_elsewhere(self, own_desk: Desk) -> None:
        """SKE-07."""
        ticket = await own_desk.ticket("skedu", {"category": "login"})

        changed = tickets.TicketFactsChanged(facts={"category": "payments"}, changed=("category",))
        await own_desk.hear(changed, about=ticket, at=LATER)

        assert [one["team"] for one in await own_desk.assignments(ticket)] == ["level_1", "managers"]

    async def test_stays_while_the_same_rule_decides(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("skedu", {"category": "login"})

        changed = tickets.TicketFactsChanged(facts={"category": "wrong_data", "level": 1}, changed=("category",))
        await own_desk.hear(changed, about=ticket, at=LATER)

        assert len(await own_desk.assignments(ticket)) == 1

    async def test_goes_to_renewals_while_held_and_back_on_admission(self, own_desk: Desk) -> None:
        """PRO-09."""
        ticket = await own_desk.ticket("prodequa")
        await own_desk.hear(tickets.TicketHeld(reason="no_contract", clause="PRO-09"), about=ticket, at=LATER)
        await own_desk.hear(tickets.TicketAdmitted(counts_from=LATER), about=ticket, at=LATER)

        assert [one["team"] for one in await own_desk.assignments(ticket)] == ["support", "renewals", "support"]

    async def test_hands_the_tickets_of_an_absent_agent_to_another(self, own_desk: Desk) -> None:
        ana = await own_desk.agent("ana", "support")
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        luis = await own_desk.agent("luis", "support")

        away = await own_desk.admin.ok("PATCH", f"/v1/agents/{ana['agent_id']}", json={"absent": True})

        last = (await own_desk.assignments(ticket))[-1]
        assert (last["agent_id"], last["reason"]) == (luis["agent_id"], "agent_unavailable")
        assert away["open_tickets"] == 0
        await own_desk.admin.ok("PATCH", f"/v1/agents/{luis['agent_id']}", json={"active": False})
        assert (await own_desk.assignments(ticket))[-1]["agent_id"] is None
        await own_desk.admin.ok("PATCH", f"/v1/agents/{ana['agent_id']}", json={"absent": False})
        assert (await own_desk.assignments(ticket))[-1]["agent_id"] == ana["agent_id"]

    async def test_hands_over_for_a_reason(self, own_desk: Desk) -> None:
        await own_desk.agent("ana", "support")
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        luis = await own_desk.agent("luis", "support")

        order = {"ticket_id": str(ticket), "agent_id": luis["agent_id"], "reason": "knows the product"}
        made = await own_desk.clients["agent"].ok("POST", "/v1/assignments", json=order)

        assert (made["agent_id"], made["reason"], made["note"]) == (
            luis["agent_id"],
            "handed_over",
            "knows the product",
        )
        await own_desk.admin.ok("PATCH", f"/v1/agents/{luis['agent_id']}", json={"absent": True})
        assert (await own_desk.clients["agent"].refused(409, "POST", "/v1/assignments", json=order))[
            "type"
        ] == "urn:plazo:problem:agent-unavailable"
        await own_desk.clients["agent"].refused(
            422, "POST", "/v1/assignments", json={"ticket_id": str(ticket), "reason": "x"}
        )
        unknown = await own_desk.clients["agent"].refused(
            422, "POST", "/v1/assignments", json={"ticket_id": str(ticket), "reason": "x", "team": "x"}
        )
        assert "expected one of consulting, renewals, support" in unknown["detail"]


class TestPeople:
    """Agents, teams and load over HTTP."""

    async def test_refuses_a_second_agent_with_an_address(self, own_desk: Desk) -> None:
        await own_desk.agent("ana", "support")

        problem = await own_desk.admin.refused(
            409, "POST", "/v1/agents", json={"name": "Ana", "email": "ana@example.com"}
        )

        assert problem["type"] == "urn:plazo:problem:agent-exists"

    async def test_lets_only_leads_change_agents(self, own_desk: Desk) -> None:
        await own_desk.clients["agent"].refused(
            403, "POST", "/v1/agents", json={"name": "Ana", "email": "ana@example.com"}
        )

    async def test_refuses_a_change_of_what_has_changed(self, own_desk: Desk) -> None:
        ana = await own_desk.agent("ana", "support")
        path = f"/v1/agents/{ana['agent_id']}"

        await own_desk.admin.ok("PATCH", path, json={"levels": [1, 2]}, headers={"If-Match": '"1"'})
        await own_desk.admin.refused(412, "PATCH", path, json={"levels": [1]}, headers={"If-Match": '"1"'})

        assert (await own_desk.admin.ok("GET", path))["levels"] == [1, 2]

    async def test_lists_agents_page_by_page(self, own_desk: Desk) -> None:
        made = [(await own_desk.agent(name, "support"))["agent_id"] for name in ("ana", "eva", "luis")]

        first = await own_desk.admin.ok("GET", "/v1/agents?limit=2")
        second = await own_desk.admin.ok("GET", f"/v1/agents?limit=2&cursor={first['next_cursor']}")

        assert [one["agent_id"] for one in first["items"] + second["items"]] == made
        assert second["next_cursor"] is None

    async def test_shows_teams_and_load(self, own_desk: Desk) -> None:
        await own_desk.agent("ana", "support")
        await own_desk.ticket("prodequa", {"plan_in_force": True})
        await own_desk.ticket("prodequa", {"plan_in_force": False})

        teams = {one["team"]: one for one in (await own_desk.admin.ok("GET", "/v1/teams"))["items"]}
        load = await own_desk.admin.ok("GET", "/v1/load")

        assert teams["support"]["text"] == {"es": "Soporte de TI", "en": "IT support"}
        assert (teams["support"]["agents"], teams["support"]["open_tickets"]) == (1, 1)
        by_team = {one["team"]: (one["open_tickets"], one["unassigned"]) for one in load["teams"]}
        assert by_team == {"support": (1, 0), "renewals": (1, 1)}
        assert [(one["name"], one["open_tickets"]) for one in load["agents"]] == [("ana", 1)]

    async def test_shows_a_desk_only_its_own(self, alone: Alone, own_desk: Desk) -> None:
        ana = await own_desk.agent("ana", "support")
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        stranger = await alone.new_desk()

        await stranger.admin.refused(404, "GET", f"/v1/agents/{UUID(ana['agent_id'])}")
        assert await stranger.assignments(ticket) == []
        assert await stranger.messages(ticket) == []
