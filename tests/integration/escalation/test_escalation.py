"""The matrix at work: raised, taken step by step, stopped."""

import asyncio
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from harness import Client
from integration.escalation.alone import MONDAY, Alone, Desk, shipped

from escalation.timers.watchdog import OVERDUE, look
from plazo.events import sla_clock, tickets
from plazo.events.envelope import Event
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered
from plazo.kernel.ids import new_id
from plazo.kernel.time import format_instant
from plazo.policy.handling import Escalation, EscalationRule, EscalationStep
from plazo.runtime.identity import new_key
from plazo.runtime.inbox import NotYet

DUE = MONDAY + timedelta(hours=1)
CRITICAL = {"severity": "critical", "segment": "cinema"}


def hours(count: int) -> timedelta:
    return timedelta(hours=count)


class TestBreach:
    """EXP-17: levels 1 to 3 with time triggers."""

    async def test_raises_the_level_at_the_due_instant(self, own_desk: Desk) -> None:
        await own_desk.agent("lea", "level_2", roles=["team_lead"])
        ticket = await own_desk.ticket("expande", CRITICAL)

        await own_desk.breach(ticket, "first_response", at=DUE, late=hours(5))

        assert [(one["team"], one["level"]) for one in await own_desk.assignments(ticket)] == [
            ("level_1_cinema", 1),
            ("level_2", 2),
        ]
        (escalation,) = await own_desk.escalations(ticket)
        assert (escalation["state"], escalation["trigger"], escalation["kind"]) == (
            "running",
            "breach",
            "first_response",
        )
        first, second = escalation["steps"]
        assert first["fired_at"] == first["due_at"] == format_instant(DUE)
        assert [(told["role"], told["address"], told["state"]) for told in first["notified"]] == [
            ("team_lead", "lea@example.com", "delivered")
        ]
        assert (second["state"], second["due_at"]) == ("armed", format_instant(DUE + hours(1)))
        raised, fired = await own_desk.events("escalation.raised.v1", "escalation.step_fired.v1", about=ticket)
        assert raised["occurred_at"] == fired["occurred_at"] == DUE

    async def test_takes_the_next_step_when_its_time_comes(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "first_response", at=DUE)
        (asked,) = await own_desk.events("timer.requested.v1", about=ticket)
        assert (asked["data"]["start"], asked["data"]["after"]) == (format_instant(DUE), "1h")

        await own_desk.fire_timer(ticket)

        (escalation,) = await own_desk.escalations(ticket)
        assert escalation["state"] == "completed"
        assert escalation["steps"][1]["fired_at"] == format_instant(DUE + hours(1))
        last = (await own_desk.assignments(ticket))[-1]
        assert (last["team"], last["level"], last["clauses"]) == ("level_3", 3, ["EXP-17"])
        assert last["assigned_at"] == format_instant(DUE + hours(1))

    async def test_takes_each_step_once_however_often_it_is_called(self, alone: Alone, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        breach = await own_desk.breach(ticket, "first_response", at=DUE)
        await alone.handle(breach)
        fired = await own_desk.fire_timer(ticket)
        await alone.handle(fired)
        await own_desk.fire_timer(ticket)  # a second timer event about the same timer

        assert len(await own_desk.events("escalation.raised.v1", about=ticket)) == 1
        assert len(await own_desk.events("escalation.step_fired.v1", about=ticket)) == 2
        assert len(await own_desk.assignments(ticket)) == 3
        # The receipt, and one message for each of the two steps.
        assert len(await own_desk.messages(ticket)) == 3

    async def test_survives_a_death_before_the_commit(
        self, alone: Alone, own_desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        clock = own_desk.clock(ticket, "first_response", due_at=DUE)
        event = sla_clock.ClockBreached(ticket_id=ticket, clock=clock, breached_at=DUE, detected_at=DUE)
        breach = alone.envelope(event, desk_id=own_desk.desk_id, about=ticket, at=DUE)

        async def die(*_: Any) -> None:
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr("plazo.runtime.unit_of_work.write_events", die)
            with pytest.raises(asyncio.CancelledError):
                await alone.handle(breach)
        assert await own_desk.escalations(ticket) == []
        assert len(await own_desk.messages(ticket)) == 1
        await alone.handle(breach)

        assert len(await own_desk.events("escalation.step_fired.v1", about=ticket)) == 1
        assert len(await own_desk.messages(ticket)) == 2

    async def test_takes_a_step_once_of_two_at_the_same_time(self, alone: Alone, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        clock = own_desk.clock(ticket, "first_response", due_at=DUE)
        event = sla_clock.ClockBreached(ticket_id=ticket, clock=clock, breached_at=DUE, detected_at=DUE)
        breach = alone.envelope(event, desk_id=own_desk.desk_id, about=ticket, at=DUE)

        await asyncio.gather(*(alone.handle(breach) for _ in range(4)))

        assert len(await own_desk.events("escalation.step_fired.v1", about=ticket)) == 1

    async def test_waits_for_a_ticket_it_has_not_heard_of(self, own_desk: Desk) -> None:
        with pytest.raises(NotYet):
            await own_desk.breach(UUID(int=7), "first_response", at=DUE)

    async def test_is_not_bent_by_a_later_version_of_the_policy(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "first_response", at=DUE)

        await own_desk.publish("expande", version="next", escalation=Escalation())
        await own_desk.fire_timer(ticket)

        assert (await own_desk.escalations(ticket))[0]["state"] == "completed"

    async def test_tells_of_a_warning(self, own_desk: Desk) -> None:
        await own_desk.agent("ana", "level_1_cinema")
        ticket = await own_desk.ticket("expande", {"severity": "minor", "segment": "cinema"})
        clock = own_desk.clock(ticket, "resolution", due_at=DUE, state="running", breached_at=None)

        for threshold in ("50%", "80%"):
            event = sla_clock.ClockWarned(ticket_id=ticket, clock=clock, threshold=threshold, warned_at=MONDAY)
            await own_desk.hear(event, about=ticket)

        warned = [one for one in await own_desk.messages(ticket) if one["template"] == "warned"]
        # 14:00 UTC is 16:00 in Madrid.
        assert [one["subject"].split(": ")[1] for one in warned] == [
            "resolución vence a las 04/05/2026 16:00 (Europe/Madrid)"
        ] * 2
        assert {one["to"] for one in warned} == {"ana@example.com"}
        assert [one["state"] for one in await own_desk.escalations(ticket)] == ["completed", "completed"]


class TestStop:
    """A running escalation ends with its cause, and says why."""

    def clock_event(self, kind: str, desk: Desk, ticket: UUID) -> Event:
        clock = desk.clock(ticket, "resolution", due_at=DUE)
        match kind:
            case "clock.stopped":
                return sla_clock.ClockStopped(ticket_id=ticket, clock=clock)
            case "clock.cancelled":
                return sla_clock.ClockCancelled(ticket_id=ticket, clock=clock, because="facts_changed")
            case "ticket.resolved":
                return tickets.TicketResolved(kind="description", text="done", by="ana")
            case _:
                return tickets.TicketClosed(reason="confirmed")

    @pytest.mark.parametrize("cause", ["clock.stopped", "clock.cancelled", "ticket.resolved", "ticket.closed"])
    async def test_withdraws_what_is_to_come(self, own_desk: Desk, cause: str) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=DUE)

        await own_desk.hear(self.clock_event(cause, own_desk, ticket), about=ticket, at=DUE + hours(1))
        await own_desk.fire_timer(ticket)  # it was on its way

        (escalation,) = await own_desk.escalations(ticket)
        assert (escalation["state"], escalation["end_reason"]) == ("stopped", cause)
        assert [step["state"] for step in escalation["steps"]] == ["fired", "skipped", "skipped"]
        (stopped,) = await own_desk.events("escalation.stopped.v1", about=ticket)
        assert stopped["occurred_at"] == DUE + hours(1)
        assert len(await own_desk.events("timer.withdrawn.v1", about=ticket)) == 1

    @pytest.mark.parametrize("is_timer_first", [True, False], ids=["as it was", "the clock was away"])
    async def test_ends_the_same_in_whatever_order_it_is_heard(self, own_desk: Desk, is_timer_first: bool) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=DUE)
        resolved = tickets.TicketResolved(kind="description", text="done", by="ana")

        if is_timer_first:
            await own_desk.fire_timer(ticket)
        await own_desk.hear(resolved, about=ticket, at=DUE + timedelta(hours=5, minutes=30))
        if not is_timer_first:
            await own_desk.fire_timer(ticket)

        (escalation,) = await own_desk.escalations(ticket)
        # Turns at 0, 4 and 8 h after the breach; the stop came at 5:30.
        assert [step["state"] for step in escalation["steps"]] == ["fired", "fired", "skipped"]
        assert escalation["steps"][1]["fired_at"] == format_instant(DUE + hours(4))
        assert (escalation["state"], escalation["end_reason"]) == ("stopped", "ticket.resolved")

    async def test_leaves_the_escalations_of_other_clocks(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "first_response", at=DUE)
        await own_desk.breach(ticket, "resolution", at=DUE)

        await own_desk.hear(
            self.clock_event("clock.stopped", own_desk, ticket), about=ticket, at=DUE + timedelta(minutes=10)
        )

        states = {one["kind"]: one["state"] for one in await own_desk.escalations(ticket)}
        assert states == {"first_response": "running", "resolution": "stopped"}

    async def test_gives_back_what_a_breach_moved_that_was_none(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "first_response", at=DUE)
        await own_desk.fire_timer(ticket)
        clock = own_desk.clock(ticket, "first_response", due_at=DUE, state="met", breached_at=None)

        retracted = sla_clock.ClockBreachRetracted(ticket_id=ticket, clock=clock, because="answered")
        await own_desk.hear(retracted, about=ticket, at=DUE + hours(2))

        (escalation,) = await own_desk.escalations(ticket)
        assert (escalation["state"], escalation["end_reason"]) == ("stopped", "breach_retracted")
        assert [(one["level"], one["reason"]) for one in await own_desk.assignments(ticket)] == [
            (1, "opened"),
            (2, "breach"),
            (3, "breach"),
            (1, "breach_retracted"),
        ]

    async def test_keeps_the_level_where_the_promise_itself_has_changed(self, own_desk: Desk) -> None:
        """Level 3 has hours of its own (EXP-13): going back would bring the breach back too."""
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=DUE)
        clock = own_desk.clock(ticket, "resolution", due_at=DUE + hours(9), state="running", breached_at=None)

        retracted = sla_clock.ClockBreachRetracted(ticket_id=ticket, clock=clock, because="facts_changed")
        await own_desk.hear(retracted, about=ticket, at=DUE)

        assert [one["level"] for one in await own_desk.assignments(ticket)] == [1, 3]
        (escalation,) = await own_desk.escalations(ticket)
        assert escalation["end_reason"] == "breach_retracted"
        await own_desk.breach(ticket, "resolution", at=DUE + hours(9))
        assert [one["state"] for one in await own_desk.escalations(ticket)] == ["stopped", "running"]

    async def test_ends_repetitions_when_somebody_takes_notice(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=DUE)
        (escalation,) = await own_desk.escalations(ticket)

        path = f"/v1/escalations/{escalation['escalation_id']}/acknowledge"
        noticed = await own_desk.clients["agent"].ok("POST", path)
        again = await own_desk.admin.ok("POST", path)

        assert noticed["acknowledged_by"] == again["acknowledged_by"] == "agent: agent"
        assert [step["state"] for step in noticed["steps"]] == ["fired", "skipped", "skipped"]
        assert noticed["state"] == "completed"
        assert len(await own_desk.events("timer.withdrawn.v1", about=ticket)) == 1


class TestRequest:
    """Somebody asks for the next step."""

    async def test_asks_the_consultant_before_the_project_manager(self, own_desk: Desk) -> None:
        """PRO-18."""
        ana = await own_desk.agent("ana", "support")
        pm = await own_desk.agent("petra", roles=["project_manager"])
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        customer = own_desk.clients["requester"]
        request = {"ticket_id": str(ticket), "trigger": "customer_request", "reason": "no avanza"}

        skipped = await customer.refused(409, "POST", "/v1/escalations", json=request | {"to_role": "project_manager"})
        first = await customer.ok("POST", "/v1/escalations", json=request)
        second = await customer.ok("POST", "/v1/escalations", json=request | {"to_role": "project_manager"})
        taken = await customer.refused(409, "POST", "/v1/escalations", json=request)

        assert (skipped["type"], skipped["clause"]) == ("urn:plazo:problem:escalation-step-skipped", "PRO-18")
        assert [step["state"] for step in first["steps"]] == ["fired", "planned"]
        assert [step["state"] for step in second["steps"]] == ["fired", "fired"]
        assert taken["type"] == "urn:plazo:problem:escalation-step-taken"
        told = [one for one in await own_desk.messages(ticket) if one["template"] == "escalated"]
        assert [one["to"] for one in told] == ["ana@example.com", "petra@example.com"]
        assert "no avanza" in told[0]["body"]
        assert [one["agent_id"] for one in await own_desk.assignments(ticket)] == [ana["agent_id"], pm["agent_id"]]

    async def test_records_the_reason_for_leaving_level_1(self, own_desk: Desk) -> None:
        """SKE-03."""
        ticket = await own_desk.ticket("skedu", {"category": "login"})
        request = {"ticket_id": str(ticket), "trigger": "playbook_exhausted"}

        refused = await own_desk.admin.refused(422, "POST", "/v1/escalations", json=request)
        moved = await own_desk.admin.ok("POST", "/v1/escalations", json=request | {"reason": "nada funcionó"})

        assert refused["errors"][0] | {"message": ""} == {"pointer": "/reason", "message": "", "clause": "SKE-03"}
        assert moved["steps"][0]["reason"] == "nada funcionó"
        assert (await own_desk.assignments(ticket))[-1]["team"] == "level_2"

    async def test_asks_level_3_for_an_assessment(self, own_desk: Desk) -> None:
        """SKE-06."""
        ticket = await own_desk.ticket("skedu", {"category": "login"})
        request = {"ticket_id": str(ticket), "trigger": "agent_request", "reason": "desconocido"}

        skipped = await own_desk.admin.refused(409, "POST", "/v1/escalations", json=request | {"to_level": 3})
        await own_desk.admin.ok("POST", "/v1/escalations", json=request | {"to_level": 2})
        await own_desk.admin.ok("POST", "/v1/escalations", json=request | {"to_level": 3})

        assert skipped["clause"] == "SKE-03"
        fired = await own_desk.events("escalation.step_fired.v1", about=ticket)
        assert [event["data"]["requires_assessment"] for event in fired] == [False, True]
        assert (await own_desk.assignments(ticket))[-1]["level"] == 3

    async def test_refuses_what_the_contract_does_not_foresee(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("smartcloud")
        request = {"ticket_id": str(ticket), "trigger": "customer_request"}

        problem = await own_desk.admin.refused(409, "POST", "/v1/escalations", json=request)

        assert problem["type"] == "urn:plazo:problem:escalation-not-foreseen"

    async def test_refuses_a_ticket_that_is_done(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa")
        await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=ticket, at=DUE)
        request = {"ticket_id": str(ticket), "trigger": "customer_request"}

        problem = await own_desk.admin.refused(409, "POST", "/v1/escalations", json=request)

        assert problem["type"] == "urn:plazo:problem:ticket-not-open"

    async def test_hides_the_tickets_of_other_customers(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa", customer_id=UUID(int=9))
        customer = own_desk.clients["requester"]

        await customer.refused(
            404, "POST", "/v1/escalations", json={"ticket_id": str(ticket), "trigger": "customer_request"}
        )
        await customer.refused(
            403, "POST", "/v1/escalations", json={"ticket_id": str(ticket), "trigger": "agent_request"}
        )

    async def test_tells_a_customer_neither_who_of_the_desk_acts_nor_why(self, own_desk: Desk) -> None:
        await own_desk.agent("ana", "support", email="ana.privada@example.com")
        await own_desk.agent("petra", roles=["project_manager"])
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        request = {"ticket_id": str(ticket), "trigger": "customer_request"}
        headers = {"Idempotency-Key": "two"}

        staffs = await own_desk.clients["agent"].ok(
            "POST", "/v1/escalations", json=request | {"reason": "marca-motivo"}
        )
        answers = [
            await own_desk.clients["requester"].ok(
                "POST", "/v1/escalations", json=request | {"reason": "ya"}, headers=headers
            )
            for _ in range(2)
        ]

        assert (staffs["requested_by"], staffs["reason"]) == ("agent: agent", "marca-motivo")
        assert staffs["steps"][0]["notified"][0]["address"] == "ana.privada@example.com"
        (own, again) = answers
        assert own == again
        assert [(step["to_role"], step["state"]) for step in own["steps"]] == [
            ("consultant", "fired"),
            ("project_manager", "fired"),
        ]
        assert all(step["fired_at"] for step in own["steps"])
        for untold in ("marca-motivo", "@example.com", "agent"):
            assert untold not in str(own)
        assert {own["requested_by"], own["acknowledged_by"]} == {None}

    async def test_takes_one_step_for_one_key(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa")
        request = {"ticket_id": str(ticket), "trigger": "customer_request"}

        answers = [
            await own_desk.admin.ok("POST", "/v1/escalations", json=request, headers={"Idempotency-Key": "one"})
            for _ in range(2)
        ]

        assert answers[0] == answers[1]
        assert len(await own_desk.events("escalation.step_fired.v1", about=ticket)) == 1

    async def test_begins_anew_after_a_reopening(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa")
        request = {"ticket_id": str(ticket), "trigger": "customer_request"}
        await own_desk.admin.ok("POST", "/v1/escalations", json=request)
        await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=ticket, at=DUE)
        await own_desk.hear(tickets.TicketReopened(cycle=2, reason="again"), about=ticket, at=DUE)

        anew = await own_desk.admin.ok("POST", "/v1/escalations", json=request)

        assert [step["state"] for step in anew["steps"]] == ["fired", "planned"]
        assert [one["state"] for one in await own_desk.escalations(ticket)] == ["stopped", "running"]


class TestWhoMayAsk:
    """EXP-01: the customer's administrator, or someone it authorized, escalates as it opens and answers."""

    async def test_is_who_may_answer_the_ticket(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", {"channel": "portal"})
        contact_id = new_id()
        luis = await key_of(own_desk, contact_id)

        async def asked(by: Client) -> dict[str, Any] | None:
            """Ask without the reason that the step needs: who may is told that."""
            request = {"ticket_id": str(ticket), "trigger": "customer_request"}
            answer = await by.post("/v1/escalations", json=request)
            assert answer.status_code in (403, 422), answer.text
            return answer.json() if answer.status_code == 403 else None

        assert await asked(luis) is None, "nothing is known of him, but that he has a key"
        await register(own_desk, contact_id, authorized=True)
        assert await asked(luis) is None
        await register(own_desk, contact_id, authorized=False)
        refused = await asked(luis)
        assert refused is not None
        assert (refused["type"], refused["clause"]) == ("urn:plazo:problem:contact-not-authorized", "EXP-01")
        assert refused["detail"] == "Solo el administrador del cliente, o quien él autorice, puede abrir incidencias."
        for other in ("requester", "agent"):
            assert await asked(own_desk.clients[other]) is None, other
        await register(own_desk, contact_id, authorized=False, role="administrator")
        assert await asked(luis) is None
        erased = ContactErased(contact_id=contact_id, customer_id=own_desk.customer_id, tickets=())
        await own_desk.hear(erased, about=contact_id)
        assert await asked(await key_of(own_desk, contact_id)) is not None, "with whatever key, once it is forgotten"

    async def test_is_nobody_of_another_customer(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", {"channel": "portal"})
        contact_id = new_id()
        await register(own_desk, contact_id, authorized=True, customer_id=new_id())
        stranger = await key_of(own_desk, contact_id)
        request = {"ticket_id": str(ticket), "trigger": "customer_request", "reason": "x"}

        problem = await stranger.refused(403, "POST", "/v1/escalations", json=request)

        assert problem["type"] == "urn:plazo:problem:contact-not-authorized"

    async def test_is_anybody_where_the_contract_does_not_say(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("prodequa", {"channel": "email"})
        contact_id = new_id()
        await register(own_desk, contact_id, authorized=False)
        luis = await key_of(own_desk, contact_id)

        await luis.ok("POST", "/v1/escalations", json={"ticket_id": str(ticket), "trigger": "customer_request"})


async def key_of(desk: Desk, contact_id: UUID) -> Client:
    """Issue a key of a person of the desk's customer."""
    made = new_key()
    key = tickets.KeyCopy(
        key_id=made.key_id,
        secret_hash=made.secret_hash,
        role="requester",
        label="Luis",
        customer_id=desk.customer_id,
        contact_id=contact_id,
    )
    await desk.hear(tickets.KeyIssued(key=key), about=desk.desk_id)
    return desk.alone.client(made.token)


async def register(
    desk: Desk,
    contact_id: UUID,
    *,
    authorized: bool,
    role: Literal["administrator", "member"] = "member",
    customer_id: UUID | None = None,
) -> None:
    """Say what is known of a person, of the desk's customer unless told."""
    event = ContactRegistered(
        contact_id=contact_id,
        customer_id=customer_id or desk.customer_id,
        contact_name="Luis",
        emails=("luis@example.com",),
        phone=None,
        language=None,
        role=role,
        authorized=authorized,
    )
    await desk.hear(event, about=contact_id)


class TestUnacknowledged:
    """What the matrix orders if nobody takes notice."""

    async def desk_with_rule(self, desk: Desk) -> UUID:
        rule = EscalationRule(
            when={"trigger": "not_acknowledged"},
            steps=(EscalationStep(after="2h", notify=("executive",)),),
            clause=("EXP-17",),
        )
        matrix = (*shipped("expande").escalation.matrix, rule)
        await desk.publish("expande", escalation=Escalation(matrix=matrix))
        ticket = await desk.ticket("expande", CRITICAL)
        await desk.breach(ticket, "first_response", at=DUE)
        return ticket

    async def test_tells_another_when_nobody_acknowledged_in_time(self, own_desk: Desk) -> None:
        ticket = await self.desk_with_rule(own_desk)
        assert len(await own_desk.events("escalation.raised.v1", about=ticket)) == 1

        await own_desk.fire_timer(ticket, number=0)  # the step after an hour
        await own_desk.fire_timer(ticket, number=1)  # nobody acknowledged for two

        raised = await own_desk.events("escalation.raised.v1", about=ticket)
        assert [(one["data"]["trigger"], one["occurred_at"]) for one in raised] == [
            ("breach", DUE),
            ("not_acknowledged", DUE + hours(2)),
        ]
        messages = await own_desk.messages(ticket)
        told = [(one["role"], one["subject"].partition(": ")[2].split(":")[0]) for one in messages]
        assert ("executive", "nadie acusó recibo (primera respuesta)") in told
        # That was the last step of all.
        assert told[-1] == ("manager", "NADIE RESPONDE")

    async def test_waits_no_longer_once_somebody_did(self, own_desk: Desk) -> None:
        ticket = await self.desk_with_rule(own_desk)
        breach = next(one for one in await own_desk.escalations(ticket) if one["trigger"] == "breach")

        await own_desk.admin.ok("POST", f"/v1/escalations/{breach['escalation_id']}/acknowledge")
        await own_desk.fire_timer(ticket, number=1)

        states = {one["trigger"]: (one["state"], one["end_reason"]) for one in await own_desk.escalations(ticket)}
        assert states == {"breach": ("running", None), "not_acknowledged": ("stopped", "acknowledged")}
        assert await own_desk.events("escalation.stopped.v1", about=ticket) == []

    async def test_waits_no_longer_once_the_promise_is_kept(self, own_desk: Desk) -> None:
        ticket = await self.desk_with_rule(own_desk)
        clock = own_desk.clock(ticket, "first_response", due_at=DUE, state="missed")

        stopped = sla_clock.ClockStopped(ticket_id=ticket, clock=clock)
        await own_desk.hear(stopped, about=ticket, at=DUE + timedelta(minutes=5))

        assert [one["state"] for one in await own_desk.escalations(ticket)] == ["stopped", "stopped"]
        assert len(await own_desk.events("timer.withdrawn.v1", about=ticket)) == 2


class TestLevels:
    """A level is never lost on the way."""

    async def test_never_lowers_a_ticket_that_is_higher_already(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=DUE)

        await own_desk.breach(ticket, "first_response", at=DUE + hours(1))

        assert [one["level"] for one in await own_desk.assignments(ticket)] == [1, 3]


class TestWatchdog:
    """Nothing due is untaken, and it shows."""

    async def test_counts_what_is_overdue_by_the_desk_s_own_time(self, alone: Alone, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande", CRITICAL)
        await own_desk.breach(ticket, "resolution", at=MONDAY)
        await look(alone.runtime)
        before = OVERDUE.collect()[0].samples[0].value

        # The second turn is due 4 h after the first.
        moved = sla_clock.DeskClockAdvanced(clock_at=MONDAY + timedelta(hours=4, minutes=2))
        await own_desk.hear(moved, about=own_desk.desk_id)
        await look(alone.runtime)
        assert OVERDUE.collect()[0].samples[0].value == before + 1

        await own_desk.fire_timer(ticket)
        await look(alone.runtime)
        assert OVERDUE.collect()[0].samples[0].value == before
