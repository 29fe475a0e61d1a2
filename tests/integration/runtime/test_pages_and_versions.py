"""Lists in pages, and changes that name the version they were made from."""

import asyncio
from typing import Any

import pytest
from harness import DeskUnderTest

from plazo.runtime.pagination import encode_cursor


async def test_walk_gives_each_ticket_once(desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}
    opened = await asyncio.gather(*(desk.admin.ok("POST", "/v1/tickets", json=body) for _ in range(25)))
    assert len({ticket["number"] for ticket in opened}) == 25

    seen: list[str] = []
    sizes: list[int] = []
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": 7} | ({"cursor": cursor} if cursor else {})
        page = await desk.admin.ok("GET", "/v1/tickets", params=query)
        seen += [ticket["ticket_id"] for ticket in page["items"]]
        sizes.append(len(page["items"]))
        cursor = page["next_cursor"]
        if cursor is None:
            break
        # Newer tickets come before the first page; they disturb no walk under way.
        await desk.admin.ok("POST", "/v1/tickets", json=body)

    assert sizes == [7, 7, 7, 4]
    assert sorted(seen) == sorted(ticket["ticket_id"] for ticket in opened)
    whole = await desk.admin.ok("GET", "/v1/tickets", params={"limit": 200})
    assert [ticket["ticket_id"] for ticket in whole["items"]][3:] == seen


async def test_full_last_page_has_no_next(desk: DeskUnderTest):
    for name in ("a", "b"):
        await desk.admin.ok("POST", "/v1/customers", json={"name": name})
    page = await desk.admin.ok("GET", "/v1/customers", params={"limit": 2})
    assert ([customer["name"] for customer in page["items"]], page["next_cursor"]) == (["a", "b"], None)


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/customers", "/v1/contracts", "/v1/quarantine"])
@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("nonsense", id="nonsense"),
        pytest.param(encode_cursor(["2026-05-04T13:00:00Z", 7]), id="of another list"),
        pytest.param(encode_cursor(["2026-05-04T13:00:00", "00000000-0000-0000-0000-000000000001"]), id="naive"),
        pytest.param(encode_cursor([]), id="of nothing"),
    ],
)
async def test_cursor_of_no_page_is_refused(desk: DeskUnderTest, path: str, cursor: str):
    problem = await desk.admin.refused(422, "GET", path, params={"cursor": cursor})
    assert "cursor" in problem["detail"]


async def test_cursor_of_another_desk_shows_nothing_of_it(desk: DeskUnderTest):
    for name in ("a", "b"):
        await desk.admin.ok("POST", "/v1/customers", json={"name": name})
    cursor = (await desk.admin.ok("GET", "/v1/customers", params={"limit": 1}))["next_cursor"]
    stranger = await desk.house.new_desk()
    assert (await stranger.admin.ok("GET", "/v1/customers", params={"cursor": cursor}))["items"] == []


class TestVersions:
    """`ETag` and `If-Match`."""

    @pytest.fixture
    async def path(self, desk: DeskUnderTest) -> str:
        """Return the path of a ticket."""
        await desk.publish("expande")
        ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
        return f"/v1/tickets/{ticket['ticket_id']}"

    async def test_change_from_the_current_version_is_taken(self, desk: DeskUnderTest, path: str):
        read = await desk.admin.get(path)
        changed = await desk.admin.patch(
            path, json={"facts": {"server_down": True}}, headers={"If-Match": read.headers["etag"]}
        )
        assert changed.status_code == 200
        assert changed.headers["etag"] != read.headers["etag"]
        assert changed.headers["etag"] == f'"{changed.json()["version"]}"'

    async def test_change_from_an_older_version_is_stale(self, desk: DeskUnderTest, path: str):
        read = await desk.admin.get(path)
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo miramos"})
        stale = {"If-Match": read.headers["etag"]}
        for method, where, body in (
            ("PATCH", "", {"facts": {"server_down": True}}),
            ("POST", "/replies", {"text": "a"}),
            ("POST", "/resolutions", {"text": "a"}),
        ):
            problem = await desk.admin.refused(412, method, path + where, json=body, headers=stale)
            assert problem["type"] == "urn:plazo:problem:stale-version"
        assert (await desk.admin.ok("GET", path))["state"] == "in_progress"

    @pytest.mark.parametrize("if_match", ["*", None])
    async def test_change_of_whatever_is_there_is_taken(self, desk: DeskUnderTest, path: str, if_match: str | None):
        headers = {"If-Match": if_match} if if_match else {}
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "a"}, headers=headers)

    @pytest.mark.parametrize("if_match", ["", "x", '"0"', 'W/"1"', "1"])
    async def test_tag_of_no_version_is_stale(self, desk: DeskUnderTest, path: str, if_match: str):
        await desk.admin.refused(412, "POST", f"{path}/replies", json={"text": "a"}, headers={"If-Match": if_match})
