"""The compliance report: numbers, percentage, and each miss with cause and corrective action. IRE-19"""

import csv
import io

from harness import DeskUnderTest


async def test_report_of_a_month(desk: DeskUnderTest, contract, ticket):
    kept = await desk.open_ticket(contract, facts={"impact": "stopped"})
    await desk.admin.ok("POST", f"/v1/tickets/{kept['ticket_id']}/replies", json={"text": "Lo miramos"})
    await desk.settled()
    await desk.advance(to="2026-05-04T14:30:00Z")

    report = await desk.admin.ok("GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")
    groups = {group["kind"]: group for group in report["groups"]}
    first = groups["first_response"]
    assert (first["plan"], first["severity"], first["commitment"]) == ("vip", "1", "objective")
    assert (first["met"], first["missed"], first["running"], first["percentage"]) == (1, 1, 0, 50.0)
    assert (groups["resolution"]["running"], groups["resolution"]["percentage"]) == (2, None)
    (miss,) = first["misses"]
    assert (miss["number"], miss["due_at"], miss["cause"]) == (ticket["number"], "2026-05-04T14:00:00Z", None)

    review = {"cause": "sin guardia", "corrective_action": "guardia los lunes"}
    await desk.admin.ok("POST", f"/v1/clocks/{miss['clock_id']}/review", json=review)
    again = await desk.admin.ok("GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")
    (miss,) = next(group for group in again["groups"] if group["kind"] == "first_response")["misses"]
    assert (miss["cause"], miss["corrective_action"]) == ("sin guardia", "guardia los lunes")

    table = await desk.admin.get("/v1/compliance?from=2026-05-01&until=2026-06-01", headers={"Accept": "text/csv"})
    lines = table.text.splitlines()
    assert lines[0] == (
        "from,until,plan,severity,kind,commitment,met,missed,running,cancelled,"
        "decided,percentage,average_seconds,longest_seconds"
    )
    assert "2026-05-01,2026-06-01,vip,1,first_response,objective,1,1,0,0,2,50.0,0,0" in lines


async def test_tickets_behind_every_number(desk: DeskUnderTest, contract, ticket):
    kept = await desk.open_ticket(contract, facts={"impact": "stopped"})
    await desk.advance(to="2026-05-04T13:20:00Z")
    await desk.admin.ok("POST", f"/v1/tickets/{kept['ticket_id']}/replies", json={"text": "Lo miramos"})
    await desk.settled()
    await desk.advance(to="2026-05-04T14:30:00Z")
    report = await desk.admin.ok("GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")
    for group in report["groups"]:
        for outcome, path in group["promises"].items():
            page = await desk.admin.ok("GET", path)
            assert len(page["items"]) == group[outcome], path
    first = next(group for group in report["groups"] if group["kind"] == "first_response")
    assert (first["decided"], first["average_seconds"], first["longest_seconds"]) == (2, 1200, 1200)  # 13:00 to 13:20
    (met,) = (await desk.admin.ok("GET", first["promises"]["met"]))["items"]
    assert (met["number"], met["state"], met["stopped_at"]) == (kept["number"], "met", "2026-05-04T13:20:00Z")

    everything = "/v1/compliance/promises?from=2026-05-01&until=2026-06-01"
    one = await desk.admin.ok("GET", f"{everything}&limit=3")
    rest = await desk.admin.ok("GET", f"{everything}&limit=3&cursor={one['next_cursor']}")
    assert (len(one["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)


async def test_table_holds_no_formulas(desk: DeskUnderTest, ticket):
    await desk.advance(to="2026-05-04T14:30:00Z")
    path = "/v1/compliance/promises?from=2026-05-01&until=2026-06-01&outcome=missed"
    (missed,) = (await desk.admin.ok("GET", path))["items"]
    review = {"cause": "=HYPERLINK(1)", "corrective_action": "guardia, los lunes"}
    await desk.admin.ok("POST", f"/v1/clocks/{missed['clock_id']}/review", json=review)
    table = await desk.admin.get(path, headers={"Accept": "text/csv"})
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["cause"], row["corrective_action"]) == ("'=HYPERLINK(1)", "guardia, los lunes")
    assert (row["number"], row["clauses"]) == (ticket["number"], "IRE-04 IRE-06")


async def test_report_refuses_what_makes_no_sense(desk: DeskUnderTest, contract, ticket):
    await desk.admin.refused(422, "GET", "/v1/compliance?from=2026-05-01&until=2026-05-01")
    await desk.admin.refused(422, "GET", "/v1/compliance?from=2026-05-01&until=2028-05-01")
    empty = await desk.admin.ok("GET", "/v1/compliance?from=2026-06-01&until=2026-07-01")
    assert empty["groups"] == []
    (clock, *_) = (await desk.admin.ok("GET", "/v1/clocks"))["items"]
    review = {"cause": "x", "corrective_action": "y"}
    problem = await desk.admin.refused(409, "POST", f"/v1/clocks/{clock['clock_id']}/review", json=review)
    assert problem["type"] == "urn:plazo:problem:clock-not-broken"
    requester = await desk.key("requester", customer_id=contract["customer_id"])
    await requester.refused(403, "GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")
