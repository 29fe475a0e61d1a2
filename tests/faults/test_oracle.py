"""The oracle: traffic without faults ends as it says, and whatever is doctored in what was observed is found."""

import ast
import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import OPERATOR_KEY, House

from faults.compare import compared, look
from faults.observe import Observed, ObservedDesk
from faults.offices import Office
from faults.receiver import Receiver
from faults.trades import Pace
from faults.traffic import Traffic

SEED = 68
STEPS = 22
# The soak, and the short version of it, have all of them.
DESKS = ("smartcloud", "ireo", "expande", "prompt")

pytestmark = pytest.mark.timeout(240)


@dataclass
class Played:
    """Traffic that was played to its end, and what was observed of each desk then."""

    traffic: Traffic
    found: list[str]
    observed: dict[str, ObservedDesk]

    def doctored(self, office: Office, doctor: Callable[[ObservedDesk], bool]) -> list[str] | None:
        """Compare what was observed of a desk after it was doctored; None where there was nothing to doctor."""
        desk = copy.deepcopy(self.observed[office.name])
        return compared(self.traffic, office, desk) if doctor(desk) else None


@pytest.fixture(scope="module")
async def played(house: House) -> Played:
    """The traffic of a seed, over the services in this process."""
    transport = httpx.ASGITransport(app=house, raise_app_exceptions=False)
    pace = Pace(first=1, whole=2, long=3, step=1)
    databases = {name: house.postgres.dsn(f"plazo_{name}") for name in house.apps}
    async with Receiver() as receiver:
        traffic = Traffic(
            "http://house", OPERATOR_KEY, SEED, transport=transport, pace=pace, desks=DESKS, receiver=receiver
        )
        await traffic.prepare()
        async for _ in traffic.steps(STEPS):
            pass
        looked = await look(traffic, databases=databases, seconds=30)
        await traffic.close()
    found = [one for differences, _ in looked.values() for one in differences]
    return Played(traffic, found, {name: desk for name, (_, desk) in looked.items()})


def test_traffic_without_faults_ends_as_the_oracle_says(played: Played) -> None:
    assert played.found == [], f"seed {SEED}"
    # It was worth comparing.
    tickets = [ticket for desk in played.observed.values() for ticket in desk.tickets.values()]
    clocks = {clock["state"] for ticket in tickets for clock in ticket.clocks}
    assert clocks >= {"running", "met", "breached"}
    assert sum(len(ticket.escalations) for ticket in tickets) > 5
    assert any(ticket.charges for ticket in tickets)


def _each_ticket(desk: ObservedDesk) -> list[Observed]:
    return [desk.tickets[ticket_id] for ticket_id in sorted(desk.tickets)]


def _first_entry(desk: ObservedDesk, kind: str) -> tuple[list[dict[str, Any]], int] | None:
    for ticket in _each_ticket(desk):
        for place, entry in enumerate(ticket.timeline):
            if entry["kind"] == kind:
                return ticket.timeline, place
    return None


def _later(instant: str) -> str:
    return (datetime.fromisoformat(instant) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lose_ticket(desk: ObservedDesk) -> bool:
    del desk.tickets[min(desk.tickets)]
    return True


def _open_ticket_twice(desk: ObservedDesk) -> bool:
    desk.tickets["another"] = copy.deepcopy(desk.tickets[min(desk.tickets)])
    return True


def _move_due(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for clock in ticket.clocks:
            if clock["due_at"] is not None:
                clock["due_at"] = _later(clock["due_at"])
                return True
    return False


def _forget_breach(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for clock in ticket.ticket["clocks"]:
            if clock["state"] == "breached":
                clock.update(state="running", breached_at=None)
                return True
    return False


def _lose_entry(desk: ObservedDesk) -> bool:
    if found := _first_entry(desk, "clock_breached"):
        entries, place = found
        del entries[place]
    return found is not None


def _swap_entries(desk: ObservedDesk) -> bool:
    said = ("opened", "reply", "call", "internal_note", "customer_reply", "wait_started", "resolved", "closed")
    for ticket in _each_ticket(desk):
        own = [place for place, entry in enumerate(ticket.timeline) if entry["kind"] in said]
        for first, last in pairwise(own):
            one, other = ticket.timeline[first], ticket.timeline[last]
            if one["kind"] != other["kind"]:
                ticket.timeline[first], ticket.timeline[last] = other, one
                return True
    return False


def _alter_words(desk: ObservedDesk) -> bool:
    found = _first_entry(desk, "opened")
    assert found is not None
    found[0][found[1]]["text"] = "Otra cosa"
    return True


def _cut_chain(desk: ObservedDesk) -> bool:
    ticket = _each_ticket(desk)[0]
    if ticket.timeline[-1]["kind"] != "charged":
        ticket.head = "00" * 32
    return ticket.head == "00" * 32


def _tell_twice(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.messages:
            ticket.messages.append(ticket.messages[0] | {"message_id": "another"})
            return True
    return False


def _tell_somebody_else(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.messages:
            ticket.messages[-1]["to"] = "nobody@example.com"
            return True
    return False


def _skip_step(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for escalation in ticket.escalations:
            for step in escalation["steps"]:
                if step["state"] == "fired":
                    step.update(state="skipped", fired_at=None)
                    return True
    return False


def _escalate_twice(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.escalations:
            ticket.escalations.append(copy.deepcopy(ticket.escalations[0]))
            return True
    return False


def _post_twice(desk: ObservedDesk) -> bool:
    for entries in desk.entries.values():
        if entries:
            entries.append(entries[-1] | {"seq": 10**6})
            return True
    return False


def _charge_less(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for charge in ticket.charges:
            if charge["quantity"]:
                charge["quantity"] -= 1
                return True
    return False


def _lose_work(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if any(one["voided_at"] is None for one in ticket.work):
            ticket.work.clear()
            return True
    return False


def _take_from_lot(desk: ObservedDesk) -> bool:
    for account in desk.accounts.values():
        for lot in account["lots"]:
            if lot["remaining"]:
                lot["remaining"] -= 1
                return True
    return False


def _change_state(desk: ObservedDesk) -> bool:
    ticket = _each_ticket(desk)[0].ticket
    ticket["state"] = "closed" if ticket["state"] != "closed" else "resolved"
    return True


def _forget_notice(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for escalation in ticket.escalations:
            if escalation["acknowledged_at"] is not None:
                escalation["acknowledged_at"] = None
                return True
    return False


def _change_quote(desk: ObservedDesk) -> bool:
    for quote in desk.quotes.values():
        quote["quantity"] += 1
        return True
    return False


def _lose_post(desk: ObservedDesk) -> bool:
    place = next(place for place, post in enumerate(desk.posts) if b"clock.started" in post.body)
    lost = desk.posts[place].event_id
    desk.posts = [post for post in desk.posts if post.event_id != lost]
    return True


def _swap_posts(desk: ObservedDesk) -> bool:
    for ticket_id in sorted(desk.tickets):
        own = [
            place
            for place, post in enumerate(desk.posts)
            if ticket_id.encode() in post.body and b'"type":"ticket.' in post.body and b'"receipt"' not in post.body
        ]
        if len(own) > 1:
            first, *_, last = own
            desk.posts[first], desk.posts[last] = desk.posts[last], desk.posts[first]
            return True
    return False


def _sign_otherwise(desk: ObservedDesk) -> bool:
    desk.posts[0] = replace(desk.posts[0], stamp="1")
    return True


def _lose_file(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.attachments:
            ticket.attachments.pop()
            return True
    return False


def _attach_twice(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.attachments:
            ticket.attachments.append(ticket.attachments[0] | {"attachment_id": "another"})
            return True
    return False


def _cut_file(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for name, content in ticket.contents.items():
            assert content is not None
            ticket.contents[name] = content[:-1]
            return True
    return False


def _warn_twice(desk: ObservedDesk) -> bool:
    desk.warnings += desk.warnings[:1]
    return bool(desk.warnings)


def _lose_warning(desk: ObservedDesk) -> bool:
    posts = [post for post in desk.posts if b'"account.low.v1"' not in post.body]
    desk.posts, before = posts, desk.posts
    return posts != before


def _move_meeting(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        for appointment in ticket.appointments:
            appointment["starts_at"] = _later(appointment["starts_at"])
            return True
    return False


def _give_to_nobody(desk: ObservedDesk) -> bool:
    for ticket in _each_ticket(desk):
        if ticket.ticket["assignee"] is not None:
            ticket.ticket["assignee"] = None
            return True
    return False


def _leave_dead_letter(desk: ObservedDesk) -> bool:
    desk.dead_letters.append("billing: ticket.opened.v1 it could not be handled")
    return True


@pytest.mark.parametrize(
    ("doctor", "words"),
    [
        pytest.param(_lose_ticket, "is not there", id="a ticket is lost"),
        pytest.param(_open_ticket_twice, "nobody was told", id="a ticket too many"),
        pytest.param(_change_state, "state", id="another state"),
        pytest.param(_move_due, "due_at", id="a due instant is off by a second"),
        pytest.param(_forget_breach, "breached", id="a breach is not shown"),
        pytest.param(_lose_entry, "clock_breached", id="an entry is missing"),
        pytest.param(_swap_entries, "in the order", id="entries in another order"),
        pytest.param(_alter_words, "chain of its timeline is broken", id="words were altered"),
        pytest.param(_cut_chain, "missing at the end", id="the chain ends elsewhere"),
        pytest.param(_tell_twice, "too often", id="a message twice"),
        pytest.param(_tell_somebody_else, "to nobody@example.com too often", id="a message to somebody else"),
        pytest.param(_skip_step, "step 1 fired", id="a step was not taken"),
        pytest.param(_escalate_twice, "nothing set off", id="an escalation twice"),
        pytest.param(_post_twice, "its entries come to", id="a ledger entry twice"),
        pytest.param(_charge_less, "charged", id="a charge is off by one"),
        pytest.param(_lose_work, "work", id="work is lost"),
        pytest.param(_take_from_lot, "a grant", id="a grant has less left"),
        pytest.param(_forget_notice, "acknowledged", id="an acknowledgement is lost"),
        pytest.param(_change_quote, "quote of", id="a quote is off by one"),
        pytest.param(_lose_post, "was not sent", id="a webhook is lost"),
        pytest.param(_swap_posts, "sent in the order", id="webhooks in another order"),
        pytest.param(_sign_otherwise, "not signed", id="a webhook is signed for another time"),
        pytest.param(_lose_file, "is not listed", id="a file is lost"),
        pytest.param(_attach_twice, "was not attached", id="a file twice"),
        pytest.param(_cut_file, "does not hold the bytes", id="a file is cut short"),
        pytest.param(_warn_twice, "was warned", id="a low balance is told twice"),
        pytest.param(_lose_warning, "account.low", id="a low balance is not announced"),
        pytest.param(_move_meeting, "appointment", id="an appointment is off by a second"),
        pytest.param(_give_to_nobody, "assignee", id="nobody has a ticket any more"),
        pytest.param(_leave_dead_letter, "dead letter", id="a dead letter"),
    ],
)
def test_what_is_doctored_is_found(played: Played, doctor: Callable[[ObservedDesk], bool], words: str) -> None:
    offices = [office for office in played.traffic.offices if not office.is_live]
    found = next((one for office in offices if (one := played.doctored(office, doctor)) is not None), None)

    assert found is not None, f"the traffic of seed {SEED} has nothing to doctor"
    assert any(words in one for one in found), found


def test_an_answer_that_is_another_the_second_time_is_found(played: Played) -> None:
    exchanges = played.traffic.accepted.exchanges
    place, again = next(
        (place, one) for place, one in enumerate(exchanges) if one.action.startswith("again:") and one.is_accepted
    )
    office = next(one for one in played.traffic.offices if one.name == again.desk)
    exchanges[place] = replace(again, answer={**again.answer, "number": "X-1"})
    try:
        found = compared(played.traffic, office, played.observed[office.name])
    finally:
        exchanges[place] = again

    assert any("answered otherwise" in one or "taken twice" in one for one in found)


def test_a_crash_is_found_though_the_request_was_repeated(played: Played) -> None:
    exchanges = played.traffic.accepted.exchanges
    last = exchanges[-1]
    exchanges[-1] = replace(last, unanswered=("500",))
    office = next(one for one in played.traffic.offices if one.name == last.desk)
    try:
        found = compared(played.traffic, office, played.observed[office.name])
    finally:
        exchanges[-1] = last

    assert any("answered with 500" in one for one in found)


def test_the_oracle_uses_nothing_of_the_product() -> None:
    allowed = {*sys.stdlib_module_names, "faults"}
    for module in sorted((Path(__file__).parent / "oracle").glob("*.py")):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in allowed, f"{module.name} imports {name}"
                if name.startswith("faults"):
                    assert name.startswith(("faults.oracle", "faults.accepted")), f"{module.name} imports {name}"
