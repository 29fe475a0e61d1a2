"""What is never due, or in force only later, stops nothing else: no event is buried for it."""

import json
from typing import Any

from harness import DeskUnderTest, House, clock_of, eventually

BREACHED = {"trigger": "breach"}
DAYLIGHT = {"hours": "24x7", "timezone": "customer", "holidays": [{"layer": "customer"}]}


def policy(**sections: Any) -> dict[str, Any]:
    """Return a policy that promises a first response in 12 hours, elapsed."""
    return {
        "policy": "odd", "version": "1", "effective_from": "2020-01-01", "timezone": "Europe/Madrid", "language": "en",
        "clauses": "ODD", "provider": {"name": "Test", "email": "odd@example.com"},
        "targets": [{"first_response": "12h", "calendar": "elapsed", "clause": "ODD-01"}],
        "routing": {"teams": {"support": {"text": {"es": "S", "en": "S"}, "level": 1}},
                    "rules": [{"team": "support", "clause": "ODD-02"}]},
    } | sections | {"calendars": {"elapsed": {"hours": "24x7"}} | sections.get("calendars", {})}  # fmt: skip


def on_breach(**step: Any) -> dict[str, Any]:
    return {"matrix": [{"when": BREACHED, "steps": [{"notify": ["team_lead"]} | step], "clause": "ODD-03"}]}


async def publish(desk: DeskUnderTest, document: dict[str, Any]) -> None:
    await desk.admin.ok("POST", "/v1/policies", json={"document": json.dumps(document)})


async def steps_due(desk: DeskUnderTest, ticket: dict[str, Any]) -> list[str]:
    found = await desk.admin.ok("GET", "/v1/escalations", params={"ticket": ticket["ticket_id"]})
    return [step["due_at"] for one in found["items"] for step in one["steps"]]


async def test_a_region_counts_alike_everywhere_with_a_zone_and_without(desk: DeskUnderTest) -> None:
    """EXP-16."""
    local = {"local": {"source": "listed", "dates": {"2026-05-05": "A local day"}}}
    calendars = {"daylight": DAYLIGHT}
    waits = {"reopening": {"window": "10h", "calendar": "daylight", "clause": "ODD-04"},
             "abandonment": {"attempts": 1, "calendar": "daylight", "wait": "1h", "clause": "ODD-05"}}  # fmt: skip
    steps = on_breach(after="10h", calendar="daylight")
    await publish(desk, policy(calendars=calendars, holidays=local, escalation=steps, lifecycle=waits))
    places = [{"region": "local"}, {"region": "local", "timezone": "Europe/Madrid"},
              {"region": "elsewhere", "timezone": "Europe/Madrid"}]  # fmt: skip
    opened = [await desk.open_ticket(await desk.customer("odd", **place)) for place in places]
    elsewhere = f"/v1/tickets/{opened[-1]['ticket_id']}"
    await desk.admin.ok("POST", f"{elsewhere}/waits", json={"cause": "customer", "reason": "x"})
    await desk.admin.ok("POST", f"{elsewhere}/attempts", json={"channel": "phone", "result": "no_answer"})
    await desk.advance(to="2026-05-05T02:00:00Z")

    # Broken on Tuesday at 01:00Z, 03:00 in Madrid: a holiday of the region, so 10 h end on Wednesday at 10:00.
    due = [await steps_due(desk, ticket) for ticket in opened]
    assert due == [["2026-05-06T08:00:00Z"], ["2026-05-06T08:00:00Z"], ["2026-05-05T11:00:00Z"]]
    await desk.settled()


async def test_what_comes_no_more_is_passed_over(desk: DeskUnderTest) -> None:
    """A calendar that was sound when it was published is used up: the step, the quiet hours and the window it gives."""
    once = {"once": {"hours": {}, "days": {"2026-05-05": ["10:00-12:00"]}}}
    document = policy(
        calendars=once,
        escalation=on_breach(after="1h", calendar="once"),
        channels={"email": {"quiet": {"calendar": "once"}}},
        lifecycle={"reopening": {"window": "1h", "calendar": "once", "clause": "ODD-04"},
                   "abandonment": {"attempts": 1, "calendar": "elapsed", "wait": "1h", "clause": "ODD-05"}},
    )  # fmt: skip
    await publish(desk, document)
    contract = await desk.customer("odd")
    await desk.advance(to="2026-05-06T08:00:00Z")
    ticket, other = await desk.open_ticket(contract), await desk.open_ticket(contract)
    path = f"/v1/tickets/{other['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Hecho"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.advance(to="2026-05-07T08:00:00Z")
    await desk.settled()

    # Who is told where nothing is written is told at the breach, and at once.
    assert await steps_due(desk, ticket) == ["2026-05-06T20:00:00Z"]
    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    assert {one["state"] for one in messages["items"]} == {"delivered"}
    assert (await desk.admin.ok("POST", f"{path}/reopenings", json={"reason": "Sigue"}))["cycle"] == 2


async def test_old_tickets_count_from_the_first_version_of_a_calendar(desk: DeskUnderTest) -> None:
    versions = [{"hours": {"mon-fri": ["09:00-18:00"]}, "effective_from": "2024-01-01"}]
    target = {"resolution": "4h", "calendar": "office", "clause": "ODD-01"}
    document = policy(calendars={"office": {"versions": versions}}, targets=[target])
    await publish(desk, document | {"effective_from": "2024-01-01"})
    contract = await desk.customer("odd")
    lines = [{"reference": at, "subject": at, "opened_at": f"{at}T10:00:00Z"} for at in ("1970-01-01", "2023-06-01")]
    started = await desk.admin.ok(
        "POST", "/v1/imports", params={"source": "old", "contract_id": contract["contract_id"]},
        content="\n".join(map(json.dumps, lines)), headers={"Content-Type": "application/x-ndjson"},
    )  # fmt: skip

    async def done() -> bool:
        job = await desk.admin.ok("GET", f"/v1/imports/{started['import_id']}")
        return job["state"] == "done" and job["created"] == 2

    await eventually(done)
    await desk.settled()
    for ticket in (await desk.admin.ok("GET", "/v1/tickets"))["items"]:
        clock = clock_of(await desk.ticket(ticket), "resolution")
        # 1 January 2024 is a Monday: 09:00 in Madrid + 4 h
        assert clock["due_at"] == "2024-01-01T12:00:00Z"
        path = f"/v1/clocks/{clock['clock_id']}/explanation"
        kinds = [one["kind"] for one in (await desk.admin.ok("GET", path))["segments"]]
        assert kinds == ["closed", "counted"]


async def test_a_calendar_in_force_only_later_is_not_published_nor_agreed(desk: DeskUnderTest) -> None:
    later = {"later": {"hours": "24x7", "effective_from": "2030-01-01"}}
    target = {"resolution": "4h", "calendar": "later", "clause": "ODD-01"}
    for sections, pointer in (
        ({"targets": [target]}, "/targets/0/resolution"),
        ({"escalation": on_breach(calendar="later")}, "/escalation/matrix/0/steps/0/after"),
        ({"channels": {"email": {"quiet": {"calendar": "later"}}}}, "/channels/email/quiet/calendar"),
    ):
        document = json.dumps(policy(calendars=later, **sections))
        problem = await desk.admin.refused(422, "POST", "/v1/policies", json={"document": document})
        assert [one["pointer"] for one in problem["errors"]] == [pointer]
        assert "takes effect on 2030-01-01" in problem["errors"][0]["message"]
    await publish(desk, policy(calendars=later))
    contract = await desk.customer("odd")
    agreed = {"agreed": {"reference": "Annex", "targets": [target]}}
    problem = await desk.admin.refused(422, "PATCH", f"/v1/contracts/{contract['contract_id']}", json=agreed)
    assert [one["pointer"] for one in problem["errors"]] == ["/agreed/targets/0/resolution"]


async def test_a_time_that_begins_after_the_last_year_never_comes(house: House) -> None:
    desk = await house.new_desk(at="2199-12-30T00:00:00Z")
    century = {"email": {"digest": {"every": "36525 days", "above": 0}}}
    await publish(desk, policy(channels=century, escalation=on_breach()))
    ticket = await desk.open_ticket(await desk.customer("odd"))
    await desk.advance(to="2199-12-30T13:00:00Z")
    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    assert [one["state"] for one in messages["items"]] == ["queued"]  # until a day that there is none of
    await desk.advance(to="2199-12-31T13:00:00Z")
