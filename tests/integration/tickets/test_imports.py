"""Another desk's tickets are brought here: with their history, once, and every refused line is said."""

import json
from typing import Any

from harness import Client, DeskUnderTest, clock_of, eventually
from mails import known_contact

from tickets.usecases import importing

LINES = "application/x-ndjson"


def line(reference: str, **ticket: Any) -> dict[str, Any]:
    """Return a line of an import."""
    return {"reference": reference, "subject": f"Caso {reference}", "opened_at": "2026-05-04T08:00:00Z"} | ticket


async def bring(client: Client, content: bytes | str, *, media_type: str = LINES, **query: str) -> dict[str, Any]:
    """Import a file, and wait until all of its lines are done."""
    started = await client.ok(
        "POST",
        "/v1/imports",
        params={"source": "old-desk"} | query,
        content=content,
        headers={"Content-Type": media_type},
    )

    async def done() -> dict[str, Any] | None:
        job: dict[str, Any] = await client.ok("GET", f"/v1/imports/{started['import_id']}")
        return job if job["state"] == "done" else None

    found = await eventually(done)
    assert found is not None
    return found


def json_lines(*rows: dict[str, Any]) -> str:
    """Return rows as JSON lines."""
    return "\n".join(json.dumps(row) for row in rows)


async def test_open_and_closed_tickets_come_with_their_history(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    replies = [
        {"at": "2026-05-04T08:20:00Z", "by": "desk", "text": "Lo miramos", "author": "Luis"},
        {"at": "2026-05-04T08:30:00Z", "by": "customer", "text": "Gracias"},
        {"at": "2026-05-04T08:31:00Z", "by": "desk", "text": "Ojo", "internal": True},
    ]
    job = await bring(
        desk.admin,
        json_lines(
            line("A1", contact_email="ana@example.com", number="OLD-77", replies=replies, facts={"category": "x"}),
            line(
                "A2",
                contract_id=contract["contract_id"],
                state="closed",
                opened_at="2025-01-07T08:00:00Z",
                resolved_at="2025-01-08T08:00:00Z",
                closed_at="2025-01-09T08:00:00Z",
                resolution="Reiniciado",
                replies=[replies[0] | {"at": "2025-01-07T09:00:00Z"}],
            ),
        ),
    )
    assert (job["total"], job["created"], job["refused"]) == (2, 2, 0)
    await desk.settled()
    tickets = {ticket["number"]: ticket for ticket in (await desk.admin.ok("GET", "/v1/tickets"))["items"]}
    old = tickets.pop("OLD-77")
    (closed,) = tickets.values()
    assert (old["state"], old["opened_at"]) == ("in_progress", "2026-05-04T08:00:00Z")
    # Answered twenty minutes after the original opening: the promise was kept there.
    assert clock_of(old, "first_response")["state"] == "met"
    assert (closed["state"], closed["closed_at"], closed["clocks"]) == ("closed", "2025-01-09T08:00:00Z", [])
    timeline = await desk.admin.ok("GET", f"/v1/tickets/{old['ticket_id']}/timeline")
    said = [(entry["kind"], entry["actor"], entry["occurred_at"]) for entry in timeline["items"] if entry["text"]]
    assert ("reply", "agent: Luis", "2026-05-04T08:20:00Z") in said
    # Nobody is told of what happened in another desk.
    told = await desk.house.events("escalation", desk.desk_id, "message.queued.v1")
    assert [event for event in told if json.loads(json.dumps(event["data"]))["role"] == "requester"] == []


async def test_one_that_was_over_has_clocks_once_it_is_reopened(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    over = {"state": "resolved", "opened_at": "2026-04-28T08:00:00Z", "resolved_at": "2026-04-29T08:00:00Z"}
    await bring(desk.admin, json_lines(line("A1", **over)), contract_id=contract["contract_id"])
    await desk.settled()
    (old,) = (await desk.admin.ok("GET", "/v1/tickets"))["items"]
    assert (old["state"], old["clocks"], old["next_due_at"]) == ("resolved", [], None)
    await desk.admin.ok("POST", f"/v1/tickets/{old['ticket_id']}/reopenings", json={"reason": "No iba"})
    await desk.settled()
    again = await desk.ticket(old)
    resolution = clock_of(again, "resolution", 2)
    assert (resolution["state"], again["breached"]) == ("running", False)
    assert again["next_due_at"] == resolution["due_at"]
    # What it says later changes what is owed, and does not take it away.
    await desk.admin.ok("PATCH", f"/v1/tickets/{old['ticket_id']}", json={"facts": {"category": "x"}})
    await desk.settled()
    assert clock_of(await desk.ticket(old), "resolution", 2)["state"] == "running"


async def test_a_line_that_fails_stops_no_other(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    # A ticket's number is unique; two new ones of one file meet only in the database.
    rows = json_lines(line("A1", number="X-1"), line("A2", number="X-1"), line("A3"))
    job = await bring(desk.admin, rows, contract_id=contract["contract_id"])
    assert (job["created"], job["refused"]) == (2, 1)
    (refused,) = (await desk.admin.ok("GET", f"/v1/imports/{job['import_id']}/refusals"))["items"]
    assert refused["faults"][0]["pointer"] == "/number"


async def test_a_reference_is_one_ticket(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    rows = json_lines(line("A1"), line("A1", subject="Otra vez"), line("A2"))
    first = await bring(desk.admin, rows, contract_id=contract["contract_id"])
    assert (first["created"], first["known"]) == (2, 1)
    again = await bring(desk.admin, rows, contract_id=contract["contract_id"])
    assert (again["created"], again["known"]) == (0, 3)
    other = await bring(desk.admin, json_lines(line("A1")), contract_id=contract["contract_id"], source="third-desk")
    assert other["created"] == 1


LATE = "2199-12-31T23:59:59Z"


async def test_every_refused_line_is_told_with_all_its_faults(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    content = "\n".join(
        [
            json.dumps(line("A1")),
            "{no json",
            json.dumps({"reference": "A3", "state": "lost", "colour": 1}),
            json.dumps(line("A4", opened_at="2027-01-01T00:00:00Z")),
            json.dumps(line("A5", facts={"nothing": "x"})),
            json.dumps(line("A6", state="closed")),
            json.dumps(line("A7", subject="nul \x00 \ud800")),
            json.dumps(
                line("A8", state="closed", closed_at=LATE, replies=[{"at": LATE, "by": "desk", "text": "luego"}])
            ),
        ]
    )
    job = await bring(desk.admin, content, contract_id=contract["contract_id"])
    assert (job["total"], job["created"], job["refused"]) == (8, 2, 6)
    page = await desk.admin.ok("GET", f"/v1/imports/{job['import_id']}/refusals?limit=3")
    more = await desk.admin.ok("GET", f"/v1/imports/{job['import_id']}/refusals?limit=3&cursor={page['next_cursor']}")
    refused = {row["line"]: row for row in page["items"] + more["items"]}
    assert list(refused) == [2, 3, 4, 5, 6, 8]
    assert {fault["pointer"] for fault in refused[3]["faults"]} == {"/subject", "/opened_at", "/state", "/colour"}
    assert refused[3]["reference"] == "A3"
    assert "expected an instant up to the present" in refused[4]["faults"][0]["message"]
    assert refused[5]["faults"][0]["pointer"] == "/facts/nothing"
    assert "expected closed_at" in refused[6]["faults"][0]["message"]
    assert [fault["pointer"] for fault in refused[8]["faults"]] == ["/closed_at", "/replies/0/at"]


async def test_csv(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    content = (
        "\ufeffreference,subject,description,opened_at,state,facts.category,closed_at\r\n"
        'B1,"Uno, dos","varias\r\nlíneas",2026-05-04T08:00:00Z,,audit,\r\n'
        "B2,Corto\r\n"
        "B3,Tres,x,2026-05-04T08:00:00Z,closed,,2026-05-04T09:00:00Z\r\n"
    )
    job = await bring(desk.admin, content.encode(), media_type="text/csv", contract_id=contract["contract_id"])
    assert (job["total"], job["created"], job["refused"]) == (3, 2, 1)
    refused = (await desk.admin.ok("GET", f"/v1/imports/{job['import_id']}/refusals"))["items"]
    # Line 1 has the names, 2 and 3 the first ticket.
    assert [(row["line"], row["faults"][0]["message"]) for row in refused] == [(4, "expected 7 fields, got 2")]
    tickets = (await desk.admin.ok("GET", "/v1/tickets"))["items"]
    assert {(one["subject"], one["description"], one["covered"]) for one in tickets} == {
        ("Uno, dos", "varias\nlíneas", False),
        ("Tres", "x", True),
    }


async def test_what_one_process_left_another_takes_up(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    runtime = desk.house.runtime("tickets")
    job = await bring(desk.admin, json_lines(line("A1"), line("A2")), contract_id=contract["contract_id"])
    rows = await desk.house.fetch(
        "tickets",
        "UPDATE import_line SET state = 'waiting', body = $2 WHERE import_id = $1::uuid AND line = 2 RETURNING line",
        job["import_id"],
        line("A9"),
    )
    assert len(rows) == 1  # as it stands when a process dies before the commit
    await importing.import_some(runtime)

    async def created() -> bool:
        after = await desk.admin.ok("GET", f"/v1/imports/{job['import_id']}")
        return (after["state"], after["created"]) == ("done", 2)

    assert await eventually(created)


async def test_who_may_and_what(desk: DeskUnderTest) -> None:
    agent = await desk.key("agent")
    options = {"params": {"source": "old"}, "content": b"{}", "headers": {"Content-Type": LINES}}
    await agent.refused(403, "POST", "/v1/imports", **options)
    await desk.admin.refused(422, "POST", "/v1/imports", params={"source": "old"}, json={})
    headers = {"Content-Type": LINES, "Idempotency-Key": "once"}
    first = await desk.admin.ok("POST", "/v1/imports", **options | {"headers": headers})
    again = await desk.admin.ok("POST", "/v1/imports", **options | {"headers": headers})
    assert again["import_id"] == first["import_id"]
    await desk.admin.refused(409, "POST", "/v1/imports", **options | {"headers": headers, "content": b"{ }"})
