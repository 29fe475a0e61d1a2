"""What is paid for: work, grants, standings, quotes."""

from datetime import datetime, timedelta
from typing import Any

from faults.offices import Office


async def work(office: Office) -> None:
    """Somebody worked on a ticket, now and then under a quote."""
    if case := office.case(wanted=lambda one: one.state != "held"):
        # No two pieces of work begin at one instant: their order says what each is charged.
        office.works += 1
        start = datetime.fromisoformat(case.opened_at) if office.is_live else office.now
        start -= timedelta(
            minutes=0 if office.is_live else office.draw.choice((0, 0, 15, 200, 1500)), seconds=office.works
        )
        body = {
            "ticket_id": case.ticket_id,
            "started_at": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "minutes": office.draw.choice((5, 20, 61, 119, 180)),
            "description": "diagnóstico",
        }
        if case.quotes and office.draw.random() < 0.6:
            body["quote_id"] = office.draw.choice(case.quotes)
        done = await office.send("work", "/v1/work", body, not_yet=(404,))
        if done.is_accepted:
            case.works.append(done.answer["work"]["work_id"])


async def void(office: Office) -> None:
    """Work was noted that was not done."""
    if case := office.case(wanted=lambda one: bool(one.works)):
        work_id = case.works.pop(office.draw.randrange(len(case.works)))
        await office.send("void", f"/v1/work/{work_id}/void", {"reason": "apuntado dos veces"})
        if office.trade.has_gates:
            await office.released(case.contract_id)


async def grant(office: Office) -> None:
    """Credit is bought."""
    contract_id = office.draw.choice(sorted(office.accounts, key=[*office.accounts].index))
    body: dict[str, Any] = {"quantity": office.draw.choice((1, 2, 4)), "reason": "compra"}
    if not office.is_live and office.draw.random() < 0.3:
        body["expires_at"] = (office.now + timedelta(days=office.draw.choice((2, 9)))).strftime("%Y-%m-%dT%H:00:00Z")
    await office.send("grant", f"/v1/accounts/{office.accounts[contract_id]}/grants", body)
    if office.trade.has_gates:
        await office.released(contract_id)


async def set_standing(office: Office) -> None:
    """A customer pays, or does not."""
    contract = office.draw.choice(office.contracts)
    standing = office.draw.choice(("good", "good", "overdue"))
    body = {"contract_id": contract["contract_id"], "standing": standing, "reason": "factura de abril"}
    await office.send("standing", "/v1/standings", body)
    await office.released(contract["contract_id"])


async def quote(office: Office) -> None:
    """Work is offered at a price, and the customer decides; what is set aside may be freed."""
    if office.quotes and office.draw.random() < 0.65:
        quote_id, quoted = office.draw.choice(office.quotes[-2:])
        decision = office.draw.choice(("accept", "accept", "accept", "decline", "release", "withdraw"))
        if decision == "withdraw":
            if quoted.quotes and quoted.is_open:
                await office.act(quoted, "close", "closings", {"reason": "withdrawn"})
            return
        token = office.requesters[quoted.contract_id] if decision != "release" else None
        empty: dict[str, Any] | None = {} if decision == "accept" else None
        decided = await office.send("decide", f"/v1/quotes/{quote_id}/{decision}", empty, token=token)
        if decided.is_accepted and decision == "accept":
            quoted.quotes.append(quote_id)
        if decision == "release":
            await office.released(quoted.contract_id)
    elif case := office.case(wanted=lambda one: one.is_open):
        until = office.now + timedelta(hours=office.draw.choice((3, 30, 100)))
        body = {
            "ticket_id": case.ticket_id,
            "minutes": office.draw.choice((30, 60, 61, 130)),
            "description": "migración",
            "valid_until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        offered = await office.send("quote", "/v1/quotes", body)
        if offered.is_accepted:
            office.quotes.append((offered.answer["quote_id"], case))
