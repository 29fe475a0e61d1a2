"""Evidence of a ticket: taken away over the API, read as a page, verified offline."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import DeskUnderTest, House
from typer.testing import CliRunner

from plazo.cli import app
from plazo.cli.evidence.collect import collect_pack
from plazo.cli.evidence.pack import make_pack, verify_pack
from plazo.cli.evidence.page import render_page

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


async def pack_of(house: House, desk: DeskUnderTest, ticket: str) -> dict[str, Any]:
    """Collect the evidence of a ticket as the command does."""
    key = desk.admin.headers["authorization"].removeprefix("Bearer ")
    transport = httpx.ASGITransport(app=house)
    return await collect_pack(ticket, url="http://house", key=key, now=NOW, transport=transport)


async def test_is_collected_from_all_services_and_verifies_offline(house: House, desk: DeskUnderTest, tmp_path: Path):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    ticket = await desk.open_ticket(contract, subject=EVIL, facts={"partial_interruption_minutes": 46})
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": f"Lo miramos {EVIL}"})
    await desk.settled()

    pack = await pack_of(house, desk, ticket["number"])

    verdict = verify_pack(json.loads(json.dumps(pack)))
    assert verdict.faults == ()
    assert verdict.entries == len(pack["sections"]["timeline"]) > 5
    assert {clock["kind"] for clock in pack["sections"]["clocks"]} >= {"acknowledgement"}
    assert all("Cláusulas" in clock["explanation"]["es"] for clock in pack["sections"]["clocks"])
    assert pack["sections"]["policy"]["version"] == "2026-01"

    page = render_page(pack)
    assert '<html lang="es">' in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "2026-05-04 15:00:00 CEST" in page  # 13:00 UTC in Madrid

    # One byte of the file at a time: an entry's word, its instant, a clock's due instant, the head.
    text = json.dumps(pack)
    entry = next(one for one in pack["sections"]["timeline"] if one["kind"] == "reply")
    due = pack["sections"]["clocks"][0]["due_at"]
    for before, after, fault in (
        ("Lo miramos", "Le miramos", f"timeline, entry {entry['position']}: its actor, text or data"),
        (due, due.replace("2026", "2027"), "section clocks: it is not what was written"),
        (
            f'"timeline_head": "{pack["timeline_head"]}"',
            f'"timeline_head": "{"0" * 64}"',
            "entries are missing at the end",
        ),
    ):
        (tmp_path / "pack.json").write_text(text.replace(before, after))
        answer = CliRunner().invoke(app, ["evidence", "--verify", str(tmp_path / "pack.json"), "--json"])
        assert answer.exit_code == 1
        assert any(fault in one for one in json.loads(answer.stdout)["faults"]), answer.stdout
    (tmp_path / "pack.json").write_text(text)
    assert CliRunner().invoke(app, ["evidence", "--verify", str(tmp_path / "pack.json")]).exit_code == 0


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param([], id="no object"),
        pytest.param({"format": "plazo-evidence-1"}, id="empty"),
        pytest.param(
            {"format": "plazo-evidence-1", "ticket_id": "x", "timeline_head": "zz", "sections": 1}, id="nonsense"
        ),
    ],
)
def test_what_is_no_pack_is_said_to_be_none(pack: Any):
    assert verify_pack(pack).faults


def test_a_pack_put_together_anew_does_not_verify_another_timeline():
    ticket = {"number": "A-1", "ticket_id": "0198f0a0-0000-7000-8000-000000000011", "language": "es"}
    pack = make_pack({"ticket": ticket, "timeline": []}, head="00", now=NOW)
    assert any("entries are missing" in fault for fault in verify_pack(pack).faults)
