"""Deadlines, working times, previews and hours over HTTP."""

import pytest
from harness import DeskUnderTest

OFFICE = {
    "timezone": "Europe/Madrid",
    "hours": {"mon": ["09:00-13:00", "14:00-17:30"], "fri": ["22:00-06:00"]},
    "holidays": ["2026-05-15"],
    "days": {"2026-12-24": ["09:00-14:00"]},
}


async def test_deadline_and_its_inverse(desk: DeskUnderTest):
    # Monday 4 May, 12:00 in Madrid is 10:00 UTC: 1 h to 13:00, the other 3 from 14:00 to 17:00, 15:00 UTC
    question = {"calendar": OFFICE, "start": "2026-05-04T10:00:00Z", "target": "4h"}
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={**question, "explain": True})
    assert answer["due_at"] == "2026-05-04T15:00:00Z"
    assert [(one["kind"], one["seconds"]) for one in answer["segments"]] == [
        ("counted", 3600), ("closed", 3600), ("counted", 10800),
    ]  # fmt: skip
    pauses = [{"from": "2026-05-04T10:30:00Z", "until": "2026-05-04T11:30:00Z", "cause": "cliente"}]
    # the pause takes 30 min before lunch; the rest of it lies in the break
    paused = await desk.admin.ok("POST", "/v1/deadlines", json={**question, "pauses": pauses})
    assert paused == {"due_at": "2026-05-04T15:30:00Z"}
    inverse = {"calendar": OFFICE, "from": "2026-05-04T10:00:00Z", "until": "2026-05-04T15:30:00Z", "pauses": pauses}
    assert await desk.admin.ok("POST", "/v1/working-times", json=inverse) == {"seconds": 14400}
    micro = {**inverse, "pauses": [], "until": "2026-05-04T10:00:00.000001Z"}
    assert await desk.admin.ok("POST", "/v1/working-times", json=micro) == {"seconds": 0.000001}
    backwards = {**inverse, "until": "2026-05-01T00:00:00Z"}
    assert await desk.admin.ok("POST", "/v1/working-times", json=backwards) == {"seconds": 0}


OVERLAPPING = {"timezone": "UTC", "hours": {"mon": ["09:00-12:00", "11:00-13:00"]}}
BAD = [
    ({"start": "2026-05-04T10:00:00"}, "/start", "offset"),
    ({"target": "-4h"}, "/target", "not a target"),
    ({"target": "1000000 days"}, "/target", "hundred years"),
    ({"target": 4}, "/target", "expected a length"),
    ({"calendar": {"timezone": "Mars/Olympus", "hours": "24x7"}}, "/calendar/timezone", "unknown time zone"),
    ({"calendar": {"timezone": "UTC", "hours": {}}}, "/calendar/hours", "never opens"),
    ({"calendar": {"timezone": "UTC", "hours": {"mon": ["09:00-09:00"]}}}, "/calendar/hours/mon/0", "no length"),
    ({"calendar": OVERLAPPING}, "/calendar/hours/mon/1", "overlaps"),
    ({"calendar": {"timezone": "UTC", "hours": "24x7", "effective_from": "2027-01-01"}}, "", "takes effect"),
    ({"calendar": None}, "/calendar", "expected `calendar`"),
    ({"calendar": {"policy": "none", "calendar": "x"}}, None, "no policy none"),
    ({"pauses": [{"from": "2026-05-04T12:00:00Z", "until": "2026-05-04T11:00:00Z"}]}, "/pauses/0", "ends before"),
    ({"extra": 1}, "/extra", "not permitted"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer", "said"), BAD, ids=[str(change)[:60] for change, _, _ in BAD])
async def test_bad_questions_say_what_is_wrong(desk: DeskUnderTest, change, pointer, said):
    question = {"calendar": OFFICE, "start": "2026-05-04T10:00:00Z", "target": "4h", **change}
    problem = await desk.admin.refused(404 if pointer is None else 422, "POST", "/v1/deadlines", json=question)
    if pointer is not None:
        fault = next(fault for fault in problem["errors"] if fault["pointer"] == pointer)
        assert said in fault["message"]
    else:
        assert said in problem["detail"]


async def test_many_questions_each_with_its_own_answer(desk: DeskUnderTest):
    items = [{"start": "2026-05-04T10:00:00Z", "target": "1h"}, {"start": "never", "target": "1h"}, 7]
    items.append({"calendar": {"timezone": "UTC", "hours": "24x7"}, "start": "2026-05-09T10:00:00Z", "target": "1h"})
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={"calendar": OFFICE, "items": items})
    assert answer["items"][0] == {"due_at": "2026-05-04T11:00:00Z"}
    assert answer["items"][1]["problem"]["errors"][0]["pointer"] == "/start"
    assert answer["items"][2]["problem"]["status"] == 422
    assert answer["items"][3] == {"due_at": "2026-05-09T11:00:00Z"}
    await desk.admin.refused(422, "POST", "/v1/deadlines", json={"items": []})
    await desk.admin.refused(422, "POST", "/v1/deadlines", json={"items": [1] * 10_001})


async def test_ten_thousand_questions(desk: DeskUnderTest):
    items = [{"start": "2026-05-04T10:00:00Z", "target": "4h"}] * 10_000
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={"calendar": OFFICE, "items": items})
    assert len(answer["items"]) == 10_000


async def test_preview_of_a_published_policy(desk: DeskUnderTest, contract):
    body = {"policy": "ireo", "facts": {"plan": "vip", "impact": "stopped"}, "opened_at": "2026-12-25T03:00:00Z"}
    preview = await desk.admin.ok("POST", "/v1/previews", json=body)
    # VIP, severity 1: around the clock, Christmas or not: 1 h and 4 h
    assert {one["kind"]: one["due_at"] for one in preview["deadlines"]} == {
        "first_response": "2026-12-25T04:00:00Z",
        "resolution": "2026-12-25T07:00:00Z",
    }
    assert preview["deadlines"][0]["clauses"] == ["IRE-04", "IRE-06"]
    assert {(one["trigger"], one["at"]) for one in preview["escalations"] if one["kind"] == "first_response"} == {
        ("warning", "2026-12-25T03:30:00Z"),
        ("warning", "2026-12-25T03:48:00Z"),
        ("breach", "2026-12-25T04:00:00Z"),
    }
    excluded = {**body, "facts": {"plan": "vip", "impact": "stopped", "category": "training"}}
    outside = await desk.admin.ok("POST", "/v1/previews", json=excluded)
    assert (outside["covered"], outside["deadlines"], outside["coverage_clauses"]) == (False, [], ["IRE-16"])


async def test_preview_of_a_policy_that_is_not_published(desk: DeskUnderTest):
    body = {"opened_at": "2026-05-04T10:00:00Z", "document": "policy: x\n"}
    problem = await desk.admin.refused(422, "POST", "/v1/previews", json=body)
    assert problem["type"] == "urn:plazo:problem:policy-invalid"
    assert all(fault.get("line") for fault in problem["errors"])
    await desk.admin.refused(404, "POST", "/v1/previews", json={"policy": "x", "opened_at": "2026-05-04T10:00:00Z"})
    await desk.admin.refused(422, "POST", "/v1/previews", json={"opened_at": "2026-05-04T10:00:00Z"})


async def test_hours_of_a_published_calendar(desk: DeskUnderTest, contract):
    span = "from=2026-04-30T00:00:00Z&until=2026-05-05T00:00:00Z"
    hours = await desk.admin.ok("GET", f"/v1/calendars/ireo/standard/hours?{span}")
    # Thursday; Friday is 1 May; the weekend; Monday
    assert [(one["from"], one["until"]) for one in hours["items"]] == [
        ("2026-04-30T07:00:00Z", "2026-04-30T15:30:00Z"),
        ("2026-05-04T07:00:00Z", "2026-05-04T15:30:00Z"),
    ]
    feed = await desk.admin.get(f"/v1/calendars/ireo/standard.ics?{span}")
    assert feed.headers["content-type"] == "text/calendar; charset=utf-8"
    assert feed.text.count("BEGIN:VEVENT") == 2
    await desk.admin.refused(404, "GET", f"/v1/calendars/ireo/none/hours?{span}")
    await desk.admin.refused(
        422, "GET", "/v1/calendars/ireo/standard/hours?from=2026-01-01T00:00:00Z&until=2199-01-01T00:00:00Z"
    )
