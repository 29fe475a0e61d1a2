"""What is asked for at a desk, and what its people do about it."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from faults.offices import OVER, Office


async def open_ticket(office: Office) -> None:
    """Somebody asks for something."""
    contract = office.draw.choice(office.contracts)
    body = {
        "contract_id": contract["contract_id"],
        "subject": f"Asunto {len(office.cases) + 1}",
        "description": office.draw.choice(("No arranca desde hoy", "Va muy lento", "¿Cómo se hace?")),
        "channel": office.trade.channel,
        "facts": dict(office.draw.choice(office.trade.facts)),
    }
    as_customer = office.draw.random() < 0.3
    token = office.requesters[contract["contract_id"]] if as_customer else None
    opened = await office.send("open", "/v1/tickets", body, token=token, who="customer" if as_customer else "desk")
    if opened.is_accepted:
        await office.take_in(opened.answer)


async def reply(office: Office) -> None:
    """The desk answers."""
    if case := office.case(wanted=lambda one: one.state not in ("held", "closed")):
        channel = office.draw.choice(("email", "email", office.trade.call_channel or "email"))
        await office.act(case, "reply", "replies", {"text": "Lo estamos viendo", "channel": channel})


async def note(office: Office) -> None:
    """The desk writes something down for itself."""
    if case := office.case():
        await office.act(case, "note", "replies", {"text": "mirar los registros", "internal": True})


async def hear_customer(office: Office) -> None:
    """The customer says something."""
    if case := office.case(wanted=lambda one: one.state != "closed"):
        token = office.requesters[case.contract_id]
        await office.act(case, "customer", "replies", {"text": "¿Alguna novedad?"}, token=token, who="customer")


async def attach(office: Office) -> None:
    """Somebody attaches a file; what the customer attaches is for everybody's eyes."""
    if case := office.case():
        office.files += 1
        name = f"captura {office.files}.bin"
        # No two are the same; some are longer than what their type is judged by, and come in several pieces.
        content = f"{office.name} {name}\n".encode() + office.draw.randbytes(office.draw.choice((0, 90, 5_000, 20_000)))
        who = office.draw.choice(("desk", "desk", "customer"))
        token = office.requesters[case.contract_id] if who == "customer" else None
        internal = "true" if office.draw.random() < 0.3 else "false"
        path = f"/v1/tickets/{case.ticket_id}/attachments?name={quote(name)}&internal={internal}"
        await office.send("attach", path, content, token=token, who=who)


async def wait(office: Office) -> None:
    """Somebody is waited for."""
    if case := office.case(wanted=lambda one: one.is_open):
        cause = office.draw.choice(("customer", "customer", "vendor"))
        body: dict[str, Any] = {"cause": cause, "reason": "falta información"}
        if not office.is_live and office.draw.random() < 0.3:
            until = office.now + office.stretch()
            body["until"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        await office.act(case, "wait", "waits", body)


async def end_wait(office: Office) -> None:
    """The wait is over."""
    if case := office.case("waiting"):
        cause = office.draw.choice(sorted(case.waits) or ["customer"])
        await office.act(case, "end_wait", f"waits/{cause}/end", None)


async def resolve(office: Office) -> None:
    """It is solved, they say."""
    if office.draw.random() < 0.5 and (case := office.case(wanted=lambda one: one.is_open)):
        await office.act(case, "resolve", "resolutions", {"kind": office.trade.resolution, "text": "Arreglado"})


async def close(office: Office) -> None:
    """It is over, or withdrawn."""
    if case := office.case("resolved"):
        await office.act(case, "close", "closings", {"reason": "confirmed", "confirmed_by": "Ana", "channel": "phone"})
    elif office.draw.random() < 0.2 and (case := office.case()):
        was_held = case.state == "held"
        await office.act(case, "close", "closings", {"reason": "withdrawn"})
        if was_held:
            office.cases.remove(case)  # nobody asks for it again
            await office.settle()  # so that nothing lets it in that has yet to hear of this


async def reopen(office: Office) -> None:
    """It was not solved."""
    if case := office.case(*OVER):
        await office.act(case, "reopen", "reopenings", {"reason": "vuelve a fallar"})


async def change_facts(office: Office) -> None:
    """What is stated changes."""
    if case := office.case(wanted=lambda one: one.state not in OVER):
        facts: dict[str, Any] = {name: None for one in office.trade.facts for name in one}
        facts |= office.draw.choice(office.trade.facts)
        if office.trade.policy == "expande":
            facts.pop("component")  # the team would change with it
            await office.settle()  # the receipt that is on its way stops a clock
        await office.act(case, "facts", "", {"facts": facts}, method="PATCH")


async def agree_date(office: Office) -> None:
    """A date is agreed."""
    if case := office.case(wanted=lambda one: one.is_open):
        due = (office.now + timedelta(hours=office.draw.choice((5, 29, 77)))).strftime("%Y-%m-%dT%H:%M:%SZ")
        await office.act(case, "date", "agreed-dates", {"due_at": due})


async def attempt(office: Office) -> None:
    """The customer cannot be reached."""
    case = office.case("waiting", wanted=lambda one: "customer" in one.waits)
    if case is None:
        if case := office.case(wanted=lambda one: one.is_open):
            await office.act(case, "wait", "waits", {"cause": "customer", "reason": "falta información"})
        return
    body: dict[str, Any] = {"channel": office.draw.choice(("phone", "email")), "result": "no_answer"}
    if office.trade.policy == "prodequa":
        body["closes_at"] = (office.now + timedelta(days=office.draw.choice((1, 6, 8)))).strftime("%Y-%m-%dT%H:%M:%SZ")
    await office.act(case, "attempt", "attempts", body)


async def abandon(office: Office) -> None:
    """Nobody answers: it is closed, if the contract lets it."""
    if case := office.case("waiting", wanted=lambda one: "customer" in one.waits):
        await office.act(case, "close", "closings", {"reason": "abandoned"})


async def ask_in_vain(office: Office) -> None:
    """Ask for what cannot be: it must leave no trace."""
    wrong = office.draw.choice(("nobody", "empty", "closed", "foreign"))
    case = office.case()
    if wrong == "nobody":
        path = "/v1/tickets/00000000-0000-7000-8000-000000000000/replies"
        await office.send("refused", path, {"text": "nadie"})
    elif wrong == "empty":
        await office.send("refused", "/v1/tickets", {"contract_id": "x", "subject": "", "facts": {"a": 1.5}})
    elif wrong == "closed" and (case := office.case("closed")):
        await office.act(case, "reply", "replies", {"text": "tarde", "channel": "email"})
    elif case is not None:
        token = office.requesters[case.contract_id]
        path = f"/v1/tickets/{case.ticket_id}/resolutions"
        await office.send("refused", path, {"kind": "fix", "text": "yo mismo"}, token=token, who="customer")
