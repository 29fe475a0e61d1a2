"""Who is told what, once."""

from datetime import date, timedelta
from typing import Any

import pytest
from integration.escalation.alone import MONDAY, Alone, Desk, shipped

from plazo.events import tickets
from plazo.events.billing import AccountLow
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered, RequestQuarantined, RequestRefused, TicketPartsMissing
from plazo.events.ticket_life import ContactAttempted, VendorAnswered
from plazo.kernel.ids import new_id
from plazo.policy.handling import NotificationRule
from plazo.runtime.inbox import Ahead, NotYet

LATER = MONDAY + timedelta(hours=1)


class TestNotifications:
    """What the policy wants told."""

    async def test_confirms_receipt_with_date_first_description_and_number(self, own_desk: Desk) -> None:
        """IRE-10."""
        ticket = await own_desk.ticket("ireo", {"severity": "2"}, number="IRE-7")

        (message,) = await own_desk.messages(ticket)

        assert message["to"] == "ana@example.com"
        assert message["subject"] == "Ticket IRE-7 registrado"
        # 13:00 UTC is 15:00 in Madrid.
        assert message["body"] == "Alta: 04/05/2026 15:00 (Europe/Madrid). Descripción inicial: La taquilla no cobra"
        assert (message["state"], message["clauses"], message["event"]) == ("delivered", ["IRE-10"], "ticket.opened")
        (event,) = await own_desk.events("message.queued.v1", about=ticket)
        assert event["data"]["event"] == "ticket.opened"
        assert await own_desk.admin.ok("GET", f"/v1/messages/{message['message_id']}") == message

    async def test_speaks_english_to_who_does(self, own_desk: Desk) -> None:
        """SMA-05."""
        ticket = await own_desk.ticket("smartcloud", number="SMA-1", language="en")

        (message,) = await own_desk.messages(ticket)

        assert (message["subject"], message["clauses"]) == ("Request SMA-1 received", ["SMA-05"])

    async def test_asks_for_missing_diagnosis_steps_in_place_of_the_plain_receipt(self, own_desk: Desk) -> None:
        """EXP-10."""
        ticket = await own_desk.ticket("expande", {"checklist": "incomplete"})

        assert [one["template"] for one in await own_desk.messages(ticket)] == ["checklist_missing"]

    async def test_tells_of_closing(self, own_desk: Desk) -> None:
        """IRE-11."""
        ticket = await own_desk.ticket("ireo")
        await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=ticket, at=LATER)

        assert [one["template"] for one in await own_desk.messages(ticket)] == ["receipt", "closed"]

    async def test_says_why_a_ticket_is_held(self, own_desk: Desk) -> None:
        """SMA-14."""
        ticket = await own_desk.ticket("smartcloud")
        await own_desk.hear(tickets.TicketHeld(reason="awaiting_credit", clause="SMA-14"), about=ticket, at=LATER)

        message = (await own_desk.messages(ticket))[-1]

        assert message["body"] == (
            "Se necesitan al menos dos unidades de crédito; la solicitud queda guardada hasta la recarga. "
            "(cláusula SMA-14)"
        )

    async def test_keeps_and_shows_what_could_not_be_delivered(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("ireo", contact_email=None)

        (message,) = (await own_desk.admin.ok("GET", f"/v1/messages?ticket={ticket}&state=failed"))["items"]

        assert (message["to"], message["failure"]) == (None, "no address is known for the requester")

    async def test_falls_back_on_the_customer_s_address(self, own_desk: Desk) -> None:
        registered = tickets.CustomerRegistered(
            customer_id=own_desk.customer_id,
            customer_name="Cines del Sur",
            segment=None,
            language="es",
            timezone=None,
            email="cines@example.com",
        )
        await own_desk.hear(registered, about=own_desk.customer_id)
        ticket = await own_desk.ticket("ireo", contact_email=None)

        assert [one["to"] for one in await own_desk.messages(ticket)] == ["cines@example.com"]

    async def test_tells_once_however_often_the_event_comes(self, alone: Alone, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("ireo")
        closed = await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=ticket, at=LATER)

        await alone.handle(closed)
        await alone.handle(closed)

        assert len(await own_desk.messages(ticket)) == 2

    async def test_tells_a_person_of_two_roles_once(self, own_desk: Desk) -> None:
        """IRE-19 names assignee and manager."""
        await own_desk.agent("ana", "support", roles=["manager"])
        ticket = await own_desk.ticket("ireo")

        await own_desk.breach(ticket, "resolution", at=LATER)

        assert [(one["template"], one["to"]) for one in await own_desk.messages(ticket)] == [
            ("receipt", "ana@example.com"),
            ("missed", "ana@example.com"),
        ]

    async def test_lists_page_by_page_and_by_addressee(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("ireo")
        await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=ticket, at=LATER)

        first = await own_desk.admin.ok("GET", "/v1/messages?limit=1&to=ana@example.com")
        second = await own_desk.admin.ok("GET", f"/v1/messages?limit=1&cursor={first['next_cursor']}")

        assert [one["template"] for one in first["items"] + second["items"]] == ["receipt", "closed"]
        assert second["next_cursor"] is None
        assert (await own_desk.admin.ok("GET", "/v1/messages?to=eva@example.com"))["items"] == []
        await own_desk.admin.refused(422, "GET", "/v1/messages?cursor=no")

    async def test_shows_the_mailbox_to_staff_only(self, own_desk: Desk) -> None:
        await own_desk.clients["requester"].refused(403, "GET", "/v1/messages")


class TestRevision:
    """PRO-01: every customer under a policy is told that it changes."""

    async def test_tells_every_customer_under_the_policy(self, alone: Alone, own_desk: Desk) -> None:
        await own_desk.publish("prodequa")
        for name, ends in (("one", None), ("two", date(2026, 12, 31)), ("gone", date(2020, 1, 1))):
            customer = new_id()
            registered = tickets.CustomerRegistered(
                customer_id=customer,
                customer_name=name,
                segment=None,
                language="es",
                timezone=None,
                email=f"{name}@example.com",
            )
            await own_desk.hear(registered, about=customer)
            contract = tickets.ContractSigned(
                contract_id=new_id(),
                customer_id=customer,
                policy="prodequa",
                plan=None,
                arrangement="plan",
                valid_from=date(2019, 1, 1),
                valid_until=ends,
            )
            await own_desk.hear(contract, about=contract.contract_id)
        assert (await own_desk.admin.ok("GET", "/v1/messages"))["items"] == []

        await own_desk.publish("prodequa", version="2026-06", effective_from=date(2026, 6, 1))

        told = (await own_desk.admin.ok("GET", "/v1/messages"))["items"]
        assert sorted(one["to"] for one in told) == ["one@example.com", "two@example.com"]
        assert told[0]["subject"] == "Política de soporte 2026-06"
        assert told[0]["body"].startswith("Rige desde el 01/06/2026: ")
        assert told[0]["clauses"] == ["PRO-01"]
        announced = await own_desk.events("message.queued.v1")
        assert [(one["data"]["event"], one["data"]["ticket_id"]) for one in announced] == [
            ("policy.published", None)
        ] * 2


class TestRequests:
    """A request that is no ticket is answered too."""

    def request(self, **given: Any) -> RequestQuarantined:
        ordinary = {
            "request_id": new_id(),
            "channel": "email",
            "subject": "No puedo vender",
            "contact_name": None,
            "contact_email": "eva@example.com",
            "customer_id": None,
            "contact_id": None,
            "contract_id": None,
            "policy": "expande",
            "policy_version": None,
            "language": "es",
            "reason": "unauthorized_contact",
            "note": {"es": "Solo el administrador", "en": "Only the administrator"},
            "clauses": ("EXP-01",),
            "received_at": MONDAY,
        }
        return RequestQuarantined(**(ordinary | given))

    async def test_the_sender_and_the_customer_s_own_address_are_told(self, own_desk: Desk) -> None:
        """EXP-01."""
        await own_desk.publish("expande")
        registered = tickets.CustomerRegistered(
            customer_id=own_desk.customer_id,
            customer_name="Cines del Sur",
            segment=None,
            language="es",
            timezone=None,
            email="cines@example.com",
        )
        await own_desk.hear(registered, about=own_desk.customer_id)

        asked = self.request(customer_id=own_desk.customer_id)
        await own_desk.hear(asked, about=asked.request_id)

        told = (await own_desk.admin.ok("GET", "/v1/messages"))["items"]
        assert [(one["to"], one["role"]) for one in told] == [
            ("eva@example.com", "requester"),
            ("cines@example.com", "customer_administrator"),
        ]
        assert told[0]["body"].endswith("Lo conservamos: No puedo vender")
        assert (told[0]["clauses"], told[0]["state"], told[0]["ticket_id"]) == (["EXP-01"], "delivered", None)
        events = await own_desk.events("message.queued.v1", about=asked.request_id)
        assert [one["data"]["ticket_id"] for one in events] == [None, None]

    async def test_one_under_no_policy_has_nobody_to_speak_for(self, own_desk: Desk) -> None:
        asked = self.request(policy=None)

        await own_desk.hear(asked, about=asked.request_id)

        assert (await own_desk.admin.ok("GET", "/v1/messages"))["items"] == []

    async def test_a_refusal_is_told_only_where_the_policy_says_so(self, own_desk: Desk) -> None:
        await own_desk.publish("expande")
        asked = RequestRefused(**self.request(reason="not_by_phone").model_dump())

        await own_desk.hear(asked, about=asked.request_id)

        assert (await own_desk.admin.ok("GET", "/v1/messages"))["items"] == []


class TestLife:
    """The rest of a ticket's life."""

    async def test_missing_parts_are_asked_for_in_the_language_of_the_customer(self, own_desk: Desk) -> None:
        """SMA-04."""
        ticket = await own_desk.ticket("smartcloud", language="en")
        missing = (
            {"es": "el resultado esperado", "en": "the expected result"},
            {"es": "la categoría", "en": "category"},
        )
        lacking = TicketPartsMissing(parts=("expected_result", "category"), missing=missing, clauses=("SMA-04",))
        await own_desk.hear(lacking, about=ticket, at=LATER)

        message = (await own_desk.messages(ticket))[-1]

        assert (message["template"], message["clauses"]) == ("parts_missing", ["SMA-04"])
        assert message["body"] == "Please complete: the expected result, category"

    async def test_an_attempt_says_which_one_it_is_and_until_when(self, own_desk: Desk) -> None:
        """PRO-20."""
        ticket = await own_desk.ticket("prodequa")
        tried = {"attempt_id": new_id(), "channel": "phone", "result": "no_answer", "by": "leo"}
        counted = ContactAttempted(**tried, attempt=2, closes_at=MONDAY + timedelta(days=4))
        await own_desk.hear(counted, about=ticket, at=LATER)

        _, message = await own_desk.messages(ticket)

        # 13:00 UTC is 08:00 in Lima.
        assert message["body"] == "Intento 2. Sin respuesta, el ticket se cerrará el 08/05/2026 08:00 (America/Lima)."
        assert message["clauses"] == ["PRO-20"]

    async def test_the_manufacturer_s_answer_is_passed_on_with_its_reference(self, own_desk: Desk) -> None:
        """IRE-17."""
        ticket = await own_desk.ticket("ireo")
        answer = VendorAnswered(vendor="Fabricante", vendor_reference="FR-2231", text="Prevista")
        await own_desk.hear(answer, about=ticket, at=LATER)

        message = (await own_desk.messages(ticket))[-1]

        assert (message["body"], message["clauses"]) == ("Referencia del fabricante: FR-2231", ["IRE-17"])


class TestBalance:
    """A balance that is low."""

    async def test_the_customer_is_told_how_low_it_is(self, own_desk: Desk) -> None:
        """SMA-14. The contract may be heard of later."""
        await own_desk.publish("smartcloud")
        low = AccountLow(
            account_id=new_id(),
            contract_id=new_id(),
            customer_id=own_desk.customer_id,
            account_name="Créditos",
            unit="credit_unit",
            balance=3,
            threshold=4,
            clause=None,
        )
        with pytest.raises(NotYet):
            await own_desk.hear(low, about=low.account_id)
        own_desk.alone.versions[low.producer, low.account_id] -= 1
        registered = tickets.CustomerRegistered(
            customer_id=own_desk.customer_id,
            customer_name="Ávila",
            segment=None,
            language="es",
            timezone=None,
            email="avila@example.com",
        )
        await own_desk.hear(registered, about=own_desk.customer_id)
        contract = tickets.ContractSigned(
            contract_id=low.contract_id,
            customer_id=own_desk.customer_id,
            policy=shipped("smartcloud").policy,
            plan=None,
            arrangement="plan",
            valid_from=date(2019, 1, 1),
            valid_until=None,
        )
        await own_desk.hear(contract, about=contract.contract_id)

        await own_desk.hear(low, about=low.account_id)

        (message,) = (await own_desk.admin.ok("GET", "/v1/messages"))["items"]
        assert (message["to"], message["clauses"]) == ("avila@example.com", ["SMA-14"])
        assert message["body"].startswith("Créditos: quedan 3 unidades de crédito; se avisa por debajo de 4.")


class TestContacts:
    async def test_an_erasure_waits_for_what_was_said_before_it(self, own_desk: Desk) -> None:
        ticket = await own_desk.ticket("expande")
        erased = ContactErased(
            contact_id=new_id(), customer_id=own_desk.customer_id, tickets=(ticket,), announced={ticket: 2}
        )
        envelope = own_desk.alone.envelope(erased, desk_id=own_desk.desk_id, about=erased.contact_id, at=MONDAY)

        with pytest.raises(Ahead, match=f"event 2 of tickets about {ticket}"):
            await own_desk.alone.handle(envelope)
        await own_desk.hear(tickets.CustomerReplied(channel="email", by="requester: Ana"), about=ticket)
        await own_desk.alone.handle(envelope)

        assert {one["subject"] for one in await own_desk.messages(ticket)} == {"[erased]"}

    async def test_administrators_are_told_and_what_is_erased_is_not_kept(self, own_desk: Desk) -> None:
        eva = ContactRegistered(
            contact_id=new_id(),
            customer_id=own_desk.customer_id,
            contact_name="Eva",
            emails=("eva@example.com",),
            phone=None,
            language="en",
            role="administrator",
            authorized=True,
        )
        await own_desk.hear(eva, about=eva.contact_id)
        rule = NotificationRule.model_validate(
            {
                "when": {"event": "ticket.opened"},
                "template": "receipt",
                "to": ["requester", "customer_administrator"],
                "clause": "EXP-02",
            }
        )
        await own_desk.publish("expande", notifications=(rule,))
        ticket = await own_desk.ticket("expande")
        assert [one["to"] for one in await own_desk.messages(ticket)] == ["ana@example.com", "eva@example.com"]

        erased = ContactErased(contact_id=eva.contact_id, customer_id=own_desk.customer_id, tickets=(ticket,))
        await own_desk.hear(erased, about=eva.contact_id)

        kept = await own_desk.messages(ticket)
        assert [(one["role"], one["to"], one["subject"]) for one in kept] == [
            ("requester", None, "[erased]"),
            ("customer_administrator", None, "[erased]"),
        ]
        for table in ("ticket", "contact", "message"):
            (row,) = await own_desk.alone.fetch(
                f"SELECT coalesce(string_agg(t::text, ' '), '') AS text FROM {table} t WHERE desk_id = $1",
                own_desk.desk_id,
            )
            assert "eva@" not in row["text"]
            assert "ana@" not in row["text"]
            assert "taquilla" not in row["text"]
