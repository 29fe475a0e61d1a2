"""Who is told what, once."""

from datetime import date, timedelta

from integration.escalation.alone import MONDAY, Alone, Desk

from plazo.events import tickets
from plazo.kernel.ids import new_id

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
        assert (message["state"], message["clauses"], message["event"]) == ("sent", ["IRE-10"], "ticket.opened")
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
