"""`Idempotency-Key`: the same request with the same key has one effect and one answer."""

import asyncio

import pytest
from harness import DeskUnderTest, House

KEY = {"Idempotency-Key": "6d1f"}


async def names(desk: DeskUnderTest) -> list[str]:
    return [customer["name"] for customer in (await desk.admin.ok("GET", "/v1/customers"))["items"]]


async def test_ten_at_once_have_one_effect_and_one_answer(house: House, desk: DeskUnderTest):
    answers = await asyncio.gather(
        *(desk.admin.post("/v1/customers", json={"name": "Una"}, headers=KEY) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False] + [True] * 9
    assert await names(desk) == ["Una"]
    assert len(await house.events("tickets", desk.desk_id, "customer.registered.v1")) == 1


async def test_answer_is_the_first_one_even_after_a_change(desk: DeskUnderTest):
    await desk.publish("expande")
    ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    body = {"text": "Lo miramos"}

    first = await desk.admin.post(path, json=body, headers=KEY)
    await desk.admin.ok("POST", path, json={"text": "Otra cosa"})
    again = await desk.admin.post(path, json=body, headers=KEY)

    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, first.json())
    timeline = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
    assert [entry["text"] for entry in timeline if entry["kind"] == "reply"] == ["Lo miramos", "Otra cosa"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/customers", {"name": "Dos"}, id="another body"),
        pytest.param("/v1/contracts", {"name": "Una"}, id="another path"),
    ],
)
async def test_key_of_another_request_is_refused(desk: DeskUnderTest, path: str, body: dict[str, str]):
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"}, headers=KEY)
    answer = await desk.admin.post(path, json=body, headers=KEY)
    # What cannot be read at all is said first; it has no effect either way.
    assert answer.status_code == (409 if path == "/v1/customers" else 422)
    assert await names(desk) == ["Una"]


async def test_key_reused_names_the_problem(desk: DeskUnderTest):
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"}, headers=KEY)
    problem = await desk.admin.refused(409, "POST", "/v1/customers", json={"name": "Dos"}, headers=KEY)
    assert problem["type"] == "urn:plazo:problem:idempotency-key-reused"


async def test_callers_do_not_share_keys(house: House, desk: DeskUnderTest):
    other_desk = await house.new_desk()
    agent = await desk.key("agent")
    for caller in (desk.admin, agent, other_desk.admin):
        await caller.ok("POST", "/v1/customers", json={"name": "Una"}, headers=KEY)
    assert await names(desk) == ["Una", "Una"]
    assert await names(other_desk) == ["Una"]


async def test_failed_request_does_not_use_the_key_up(desk: DeskUnderTest):
    contract = {"customer_id": str(desk.desk_id), "policy": "expande", "plan": "basic", "valid_from": "2020-01-01"}
    await desk.admin.refused(404, "POST", "/v1/contracts", json=contract, headers=KEY)
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"}, headers=KEY)


async def test_a_refused_request_may_succeed_later_under_its_key(desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    ticket = await desk.open_ticket(contract)
    path = f"/v1/tickets/{ticket['ticket_id']}/reopenings"
    await desk.admin.refused(409, "POST", path, json={"reason": "no"}, headers=KEY)
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/resolutions", json={"text": "Hecho"})
    assert (await desk.admin.ok("POST", path, json={"reason": "no"}, headers=KEY))["cycle"] == 2


async def test_a_change_by_patch_takes_no_key(desk: DeskUnderTest):
    await desk.publish("expande")
    ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    path = f"/v1/tickets/{ticket['ticket_id']}"
    body = {"facts": {"server_down": True}}
    await desk.admin.ok("PATCH", path, json=body, headers=KEY)
    await desk.admin.ok("PATCH", path, json={"facts": {"server_down": False}}, headers=KEY)
    assert (await desk.admin.ok("PATCH", path, json=body, headers=KEY))["severity"] == "critical"


@pytest.mark.parametrize("length", [201, 4000])
async def test_key_of_absurd_length_is_refused(desk: DeskUnderTest, length: int):
    headers = {"Idempotency-Key": "k" * length}
    await desk.admin.refused(422, "POST", "/v1/customers", json={"name": "Una"}, headers=headers)


async def test_a_secret_is_not_kept_in_the_answer(house: House, desk: DeskUnderTest):
    body = {"role": "agent", "label": "one"}
    first = await desk.admin.ok("POST", "/v1/keys", json=body, headers=KEY)
    again = await desk.admin.ok("POST", "/v1/keys", json=body, headers=KEY)
    assert again["key_id"] == first["key_id"]
    assert again["api_key"] != first["api_key"]
    kept = await house.fetch(
        "tickets", "SELECT answer::text AS answer FROM idempotency_key WHERE desk_id = $1", desk.desk_id
    )
    assert [first["api_key"] in row["answer"] for row in kept] == [False]


async def test_desk_made_twice_under_one_key_is_one_desk(house: House):
    operator = house.client("operator-key-of-the-tests")
    headers = {"Idempotency-Key": f"desk {id(house)}"}
    body = {"name": "Mesa", "sandbox": True}
    first, again = [await operator.ok("POST", "/v1/desks", json=body, headers=headers) for _ in range(2)]
    assert (first["desk_id"], first["api_key"]) == (again["desk_id"], again["api_key"])
    assert (await house.client(again["api_key"]).ok("GET", "/v1/desk"))["name"] == "Mesa"


async def test_desk_made_by_several_at_once_under_one_key_is_one_desk(house: House):
    operator = house.client("operator-key-of-the-tests")
    headers = {"Idempotency-Key": f"desk at once {id(house)}"}
    body = {"name": "Mesa", "sandbox": True}
    made = await asyncio.gather(*(operator.ok("POST", "/v1/desks", json=body, headers=headers) for _ in range(6)))
    assert len({(one["desk_id"], one["api_key"]) for one in made}) == 1
