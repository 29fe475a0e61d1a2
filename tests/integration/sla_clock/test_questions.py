"""Deadlines, working times, previews and hours over HTTP."""

import asyncio
from datetime import timedelta

import pytest
from harness import DeskUnderTest

from plazo.kernel.time import format_instant, parse_instant
from plazo.policies import policy_text
from sla_clock.usecases import answer_questions

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
CROWDED = {"timezone": "UTC", "hours": {"mon": [f"{hour:02}:00-{hour:02}:30" for hour in range(13)]}}
LATER = {"timezone": "UTC", "hours": "24x7", "effective_from": "2027-01-01"}
BACKWARDS = [{"from": "2026-05-04T12:00:00Z", "until": "2026-05-04T11:00:00Z"}]
# What is wrong with a question of either kind.
BAD = [
    pytest.param({"calendar": {"timezone": "Mars/Olympus", "hours": "24x7"}}, "/calendar/timezone",
                 "unknown time zone", id="a zone that does not exist"),
    pytest.param({"calendar": {"timezone": "UTC", "hours": {}}}, "/calendar/hours", "never opens", id="never opens"),
    pytest.param({"calendar": {"timezone": "UTC", "hours": {"mon": ["09:00-09:00"]}}}, "/calendar/hours/mon/0",
                 "no length", id="a window of no length"),
    pytest.param({"calendar": OVERLAPPING}, "/calendar/hours/mon/1", "overlaps", id="windows that overlap"),
    pytest.param({"calendar": CROWDED}, "/calendar/hours/mon", "at most 12 windows", id="too many windows"),
    pytest.param({"calendar": LATER}, "", "takes effect on 2027-01-01", id="before the first version"),
    pytest.param({"calendar": None}, "/calendar", "expected `calendar`", id="no calendar"),
    pytest.param({"calendar": {"policy": "none", "calendar": "x"}}, None, "no policy none", id="no such policy"),
    pytest.param({"pauses": BACKWARDS}, "/pauses/0", "ends before it starts", id="a pause that ends before it starts"),
    pytest.param({"pauses": [{"from": "2026-05-04T12:00:00Z"}]}, "/pauses/0/until", "required", id="half a pause"),
    pytest.param({"extra": 1}, "/extra", "not permitted", id="a field that does not exist"),
]  # fmt: skip
BAD_STARTS = [
    pytest.param("2026-05-04T10:00:00", "offset", id="no offset"),
    pytest.param("2026-02-30T10:00:00Z", "does not exist", id="a date that does not exist"),
    pytest.param("1969-12-31T23:59:59Z", "outside the years", id="before 1970"),
    pytest.param(1777888800, "RFC 3339", id="a number"),
]
BAD_TARGETS = [
    pytest.param("-4h", "not a target", id="negative"),
    pytest.param("365000 days", "hundred years", id="a thousand years"),
    pytest.param("9000000h", "hundred years", id="a thousand years of hours"),
    pytest.param(4, "expected a length", id="a number"),
    pytest.param("soon", "not a target", id="no length"),
]
DEADLINE = {"calendar": OFFICE, "start": "2026-05-04T10:00:00Z", "target": "4h"}
WORKING_TIME = {"calendar": OFFICE, "from": "2026-05-04T10:00:00Z", "until": "2026-05-05T10:00:00Z"}


async def refused(desk: DeskUnderTest, path: str, question: dict, pointer: str | None, said: str) -> None:
    """Ask alone and among others: the same problem, and the others have their answers."""
    alone = await desk.admin.refused(404 if pointer is None else 422, "POST", path, json=question)
    good = DEADLINE if path == "/v1/deadlines" else WORKING_TIME
    first, among, last = (await desk.admin.ok("POST", path, json={"items": [good, question, good]}))["items"]
    assert first == last
    assert "problem" not in first
    for problem in (alone, among["problem"]):
        assert problem["type"].startswith("urn:plazo:problem:")
        if pointer is None:
            assert said in problem["detail"]
        else:
            fault = next(fault for fault in problem["errors"] if fault["pointer"] == pointer)
            assert said in fault["message"]


@pytest.mark.parametrize(("change", "pointer", "said"), BAD)
async def test_bad_questions_say_what_is_wrong(desk: DeskUnderTest, change, pointer, said):
    await refused(desk, "/v1/deadlines", {**DEADLINE, **change}, pointer, said)
    await refused(desk, "/v1/working-times", {**WORKING_TIME, **change}, pointer, said)


@pytest.mark.parametrize(("target", "said"), BAD_TARGETS)
async def test_bad_targets(desk: DeskUnderTest, target, said):
    await refused(desk, "/v1/deadlines", {**DEADLINE, "target": target}, "/target", said)


@pytest.mark.parametrize(("start", "said"), BAD_STARTS)
async def test_bad_instants(desk: DeskUnderTest, start, said):
    await refused(desk, "/v1/deadlines", {**DEADLINE, "start": start}, "/start", said)
    await refused(desk, "/v1/working-times", {**WORKING_TIME, "from": start}, "/from", said)


async def test_all_faults_at_once(desk: DeskUnderTest):
    bad = {**DEADLINE, "start": "never", "target": "-1h", "pauses": BACKWARDS}
    problem = await desk.admin.refused(422, "POST", "/v1/deadlines", json=bad)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/start", "/target", "/pauses/0"}
    calendar = {"timezone": "Mars/Olympus", "hours": {"mon": ["09:00-09:00"], "nay": ["09:00-10:00"]}}
    problem = await desk.admin.refused(422, "POST", "/v1/deadlines", json={**DEADLINE, "calendar": calendar})
    assert {fault["pointer"] for fault in problem["errors"]} >= {"/calendar/timezone", "/calendar/hours/mon/0"}


async def test_what_is_odd_but_means_something(desk: DeskUnderTest):
    twice = {**OFFICE, "holidays": ["2026-05-04", "2026-05-04"]}
    # Monday is a holiday: 4 h from Friday 8 May, 22:00 in Madrid
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={**DEADLINE, "calendar": twice})
    assert answer == {"due_at": "2026-05-09T00:00:00Z"}
    before = {**WORKING_TIME, "until": "2026-05-01T00:00:00Z"}
    assert await desk.admin.ok("POST", "/v1/working-times", json=before) == {"seconds": 0}
    assert await desk.admin.ok("POST", "/v1/deadlines", json={**DEADLINE, "target": "0m"}) == {
        "due_at": "2026-05-04T10:00:00Z"
    }
    same = [{"from": "2026-05-04T10:30:00Z", "until": "2026-05-04T10:30:00Z"}]
    assert await desk.admin.ok("POST", "/v1/deadlines", json={**DEADLINE, "pauses": same}) == {
        "due_at": "2026-05-04T15:00:00Z"
    }


async def test_exact_to_the_microsecond(desk: DeskUnderTest):
    # Friday 22:00 to 06:00 in Madrid, and a microsecond after it begins at either end
    question = {"calendar": OFFICE, "from": "2026-05-08T20:00:00.000001Z", "until": "2026-05-09T03:59:59.999999Z"}
    reply = await desk.admin.post("/v1/working-times", json=question)
    assert reply.text == '{"seconds":28799.999998}'
    far = {"calendar": {"timezone": "UTC", "hours": "24x7"}, "from": "1970-01-01T00:00:00Z"}
    reply = await desk.admin.post("/v1/working-times", json={**far, "until": "2199-12-31T23:59:59.999999Z"})
    assert reply.text == '{"seconds":7258118399.999999}'
    deadline = {"calendar": OFFICE, "start": "2026-05-04T10:00:00.000001Z", "target": "4h"}
    assert await desk.admin.ok("POST", "/v1/deadlines", json=deadline) == {"due_at": "2026-05-04T15:00:00.000001Z"}


async def test_others_are_answered_while_a_far_question_is_worked_on(desk: DeskUnderTest):
    windows = [f"{hour:02}:00-{hour:02}:40" for hour in range(0, 24, 2)]
    far = {
        "calendar": {"timezone": "Europe/Madrid", "hours": {"mon-sun": windows}},
        "from": "2026-01-01T00:00:00Z",
        "until": "2046-01-01T00:00:00Z",
    }
    asked = asyncio.create_task(desk.admin.post("/v1/working-times", json=far))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert (await asked).status_code == 200
    assert turns > 10  # had it been computed on the loop, there would have been a handful


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


async def test_ten_thousand_questions_are_answered_in_order(desk: DeskUnderTest):
    elapsed = {"timezone": "UTC", "hours": "24x7"}
    items = [{"start": "2026-05-04T10:00:00Z", "target": f"{minutes}m"} for minutes in range(10_000)]
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={"calendar": elapsed, "items": items})
    start = parse_instant("2026-05-04T10:00:00Z")
    assert [one["due_at"] for one in answer["items"]] == [
        format_instant(start + timedelta(minutes=minutes)) for minutes in range(10_000)
    ]


async def test_explanations_of_a_request_are_bounded_together(desk: DeskUnderTest):
    hours = {"mon-sun": [f"{hour:02}:00-{hour:02}:30" for hour in range(12)]}
    year = {"from": "2026-01-01T00:00:00Z", "until": "2030-12-31T00:00:00Z", "explain": True}
    batch = {"calendar": {"timezone": "UTC", "hours": hours}, "items": [year] * 3}
    answer = await desk.admin.ok("POST", "/v1/working-times", json=batch)
    # 1,825 days of 12 open and 12 closed spells are 43,800 segments: two fit into 100,000, the third does not
    assert [len(one.get("segments", ())) for one in answer["items"]] == [43_800, 43_800, 0]
    assert answer["items"][2]["problem"]["errors"][0]["pointer"] == "/explain"


async def test_calendar_of_a_question_has_an_end(desk: DeskUnderTest):
    large = {"timezone": "UTC", "hours": "24x7", "holidays": ["2026-05-15"] * 20_000}
    question = {"calendar": large, "start": "2026-05-04T10:00:00Z", "target": "1h"}
    problem = await desk.admin.refused(422, "POST", "/v1/deadlines", json=question)
    assert "at most 200000 bytes" in problem["detail"]


async def test_batch_that_takes_too_long_is_cut_short(desk: DeskUnderTest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answer_questions, "_LONGEST_SECONDS", 0.0)
    items = [{"start": "2026-05-04T10:00:00Z", "target": "1h"}] * 2
    answer = await desk.admin.ok("POST", "/v1/deadlines", json={"calendar": OFFICE, "items": items})
    assert "ask fewer questions at once" in answer["items"][1]["problem"]["detail"]


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


async def test_customer_asks_about_policies_of_its_own_contracts(desk: DeskUnderTest, contract) -> None:
    await desk.publish("smartcloud")
    other = await desk.customer("smartcloud", plan="dedicated")
    requester = await desk.key("requester", customer_id=contract["customer_id"])
    span = {"from": "2026-04-30T00:00:00Z", "until": "2026-05-05T00:00:00Z"}
    deadline = {"start": "2026-05-04T10:00:00Z", "target": "1h"}

    async def asked(policy: str, calendar: str, version: str | None = None) -> set[int]:
        """Ask by every way there is; return the statuses of the answers."""
        named = {"policy": policy, "calendar": calendar} | ({"version": version} if version else {})
        query = span | ({"version": version} if version else {})
        preview = {"policy": policy, "version": version, "opened_at": "2026-05-04T10:00:00Z"}
        batch = {"items": [deadline | {"calendar": named}]}
        answers = [
            await requester.post("/v1/previews", json=preview),
            await requester.get(f"/v1/calendars/{policy}/{calendar}/hours", params=query),
            await requester.get(f"/v1/calendars/{policy}/{calendar}.ics", params=query),
            await requester.post("/v1/deadlines", json=deadline | {"calendar": named}),
            await requester.post("/v1/working-times", json=span | {"calendar": named}),
        ]
        [item] = (await requester.ok("POST", "/v1/deadlines", json=batch))["items"]
        return {one.status_code for one in answers} | {item.get("problem", {}).get("status", 200)}

    assert await asked("ireo", "standard") == {200}
    assert await asked("smartcloud", "elapsed") == {404}
    assert await asked("smartcloud", "elapsed", "2024-01") == {404}
    await desk.admin.ok("GET", "/v1/calendars/smartcloud/elapsed/hours", params=span)
    of_it = {"customer_id": contract["customer_id"], "policy": "smartcloud", "plan": other["plan"]}
    await desk.admin.ok("POST", "/v1/contracts", json=of_it | {"valid_from": "2020-01-01"})
    await desk.settled()
    assert await asked("smartcloud", "elapsed") == {200}
    text = {"document": policy_text("prodequa"), "opened_at": "2026-05-04T10:00:00Z"}
    await requester.ok("POST", "/v1/previews", json=text)


async def test_faults_of_question_and_calendar_are_told_at_once(desk: DeskUnderTest) -> None:
    question = {
        "start": "2026-01-01T00:00:00",
        "target": "-4h",
        "calendar": {"timezone": "Europe/Nowhere", "hours": {"mon": ["09:00-09:00"]}},
    }

    alone = await desk.admin.refused(422, "POST", "/v1/deadlines", json=question)
    among = await desk.admin.ok("POST", "/v1/deadlines", json={"items": [question]})

    expected = {"/start", "/target", "/calendar/timezone", "/calendar/hours/mon/0"}
    assert {fault["pointer"] for fault in alone["errors"]} == expected
    assert {fault["pointer"] for fault in among["items"][0]["problem"]["errors"]} == expected
