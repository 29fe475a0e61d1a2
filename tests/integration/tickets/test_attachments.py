"""Files of a ticket: whole in the store before anything says so, and never shown for what they claim to be."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import Client, DeskUnderTest, House

from tickets.routes.attachments import _name_in
from tickets.usecases import attachments

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)


@pytest.fixture
async def ticket(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a ticket of expande."""
    await desk.publish("expande")
    return await desk.open_ticket(await desk.customer("expande", plan="basic"))


def stored_files(house: House, desk: DeskUnderTest) -> list[Path]:
    """Return what the store holds for a desk."""
    folder = Path(urlsplit(str(house.settings["tickets"].attachments_url)).path) / str(desk.desk_id)
    return [file for file in folder.rglob("*") if file.is_file()]


async def add(client: Client, ticket: dict[str, Any], content: bytes, *, name: str = "a.bin", **more: Any) -> Any:
    """Send a file as the body."""
    headers = {"Content-Type": more.pop("type", "application/octet-stream")} | more.pop("headers", {})
    return await client.post(
        f"/v1/tickets/{ticket['ticket_id']}/attachments", params={"name": name} | more, content=content, headers=headers
    )


async def test_is_kept_with_its_checksum_and_given_back_as_something_to_save(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any]
):
    content = PNG * 2000  # some 440,000 bytes: several chunks
    form = {"file": ("captura «ñ».png", content, "image/png")}

    added = await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/attachments", files=form)

    assert (added["name"], added["size"]) == ("captura «ñ».png", len(content))
    assert added["sha256"] == hashlib.sha256(content).hexdigest()
    assert (added["declared_type"], added["found_type"], added["is_suspect"]) == ("image/png", "image/png", False)
    answer = await desk.admin.get(f"/v1/attachments/{added['attachment_id']}/content")
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''captura%20%C2%AB%C3%B1%C2%BB.png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == f'"{added["sha256"]}"'
    [listed] = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/attachments"))["items"]
    assert listed == added
    [event] = await house.events("tickets", desk.desk_id, "ticket.attachment_added.v1")
    assert (event["data"]["file_name"], event["data"]["size"]) == (added["name"], len(content))


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ("attachment; filename=a.txt; size=3", "a.txt"),
        ('attachment; size=3 ; FILENAME = "a \\"b\\".txt"', 'a "b".txt'),
        ("attachment; filename=\"x=;y.txt\"; filename*=UTF-8''a%3B%C3%B1.txt", "a;ñ.txt"),
        ("attachment", None),
        ('attachment; filename="a.txt', "a.txt"),
        ("", None),
    ],
)
def test_the_name_is_read_from_the_disposition_as_it_was_written(disposition: str, name: str | None):
    assert _name_in(disposition) == name


async def test_a_type_that_lies_is_taken_and_marked(desk: DeskUnderTest, ticket: dict[str, Any]):
    added = (await add(desk.admin, ticket, PNG, name="factura.pdf", type="application/pdf")).json()
    assert (added["declared_type"], added["found_type"], added["is_suspect"]) == ("application/pdf", "image/png", True)


async def test_a_program_is_refused_and_leaves_nothing(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    refused = await add(desk.admin, ticket, b"MZ" + bytes(9000), name="foto.png", type="image/png")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:plazo:problem:attachment-type-refused")
    assert stored_files(house, desk) == []
    assert (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/attachments"))["items"] == []


async def test_limits_of_a_file_and_of_a_ticket(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    settings = house.runtime("tickets").settings
    monkeypatch.setattr(settings, "attachment_max_bytes", 100_000)
    monkeypatch.setattr(settings, "attachments_max_bytes", 150_000)

    async def unannounced() -> Any:
        for _ in range(3):
            yield bytes(50_000)

    at_once = await add(desk.admin, ticket, bytes(200_000))
    path = f"/v1/tickets/{ticket['ticket_id']}/attachments"
    as_it_streams = await desk.admin.post(path, content=unannounced())
    first = await add(desk.admin, ticket, bytes(100_000))  # exactly the limit
    full = await add(desk.admin, ticket, bytes(50_001))  # 100,000 + 50,001 > 150,000

    codes = [
        (one.status_code, one.json().get("type", "").removeprefix("urn:plazo:problem:"))
        for one in (at_once, as_it_streams, full)
    ]
    assert codes == [(413, "attachment-too-large"), (413, "attachment-too-large"), (413, "attachments-too-large")]
    assert first.status_code == 201


async def test_what_is_never_attached_is_swept(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    files = attachments.files_of(house.runtime("tickets"))
    await attachments.store(files, desk_id=desk.desk_id, name="a", declared_type=None, chunks=[b"abc"])
    kept = (await add(desk.admin, ticket, b"kept")).json()
    assert len(stored_files(house, desk)) == 2

    await house.fetch("tickets", "UPDATE unneeded_object SET remove_after = now() WHERE desk_id = $1", desk.desk_id)
    await files.sweep()

    [left] = stored_files(house, desk)
    assert left.read_bytes() == b"kept"
    assert (await desk.admin.get(f"/v1/attachments/{kept['attachment_id']}/content")).content == b"kept"


async def test_customer_sees_its_own_and_nothing_internal(desk: DeskUnderTest, ticket: dict[str, Any]):
    mine = await desk.key("requester", customer_id=ticket["customer_id"])
    other = await desk.customer("expande", plan="basic")
    stranger = await desk.key("requester", customer_id=other["customer_id"])
    internal = (await add(desk.admin, ticket, b"x", internal=True)).json()
    public = (await add(mine, ticket, b"y", internal=True)).json()  # the customer's files are never internal

    listed = (await mine.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/attachments"))["items"]

    assert [one["attachment_id"] for one in listed] == [public["attachment_id"]]
    await mine.refused(404, "GET", f"/v1/attachments/{internal['attachment_id']}/content")
    await stranger.refused(404, "GET", f"/v1/attachments/{public['attachment_id']}/content")
    assert (await add(stranger, ticket, b"z")).status_code == 404


async def test_a_repeated_upload_is_one_file(desk: DeskUnderTest, ticket: dict[str, Any]):
    key = {"Idempotency-Key": "una vez"}
    first = await add(desk.admin, ticket, b"abc", headers=key)
    again = await add(desk.admin, ticket, b"abc", headers=key)
    other = await add(desk.admin, ticket, b"abd", headers=key)
    assert (first.status_code, again.json(), other.status_code) == (201, first.json(), 409)
    assert len((await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/attachments"))["items"]) == 1
