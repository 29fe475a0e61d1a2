"""What tickets makes of the other services' announcements: held, released, admitted; and the timeline they go into."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from harness import DeskUnderTest, House

from plazo.events.billing import AdmissionGranted, AdmissionWithheld
from plazo.events.envelope import Envelope, Event

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
async def ticket(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a ticket that nobody but the tests admits or withholds, for expande has no gates."""
    await desk.publish("expande")
    return await desk.open_ticket(await desk.customer("expande", plan="basic"))


class Billing:
    """Speaks to tickets as billing would."""

    def __init__(self, desk: DeskUnderTest, ticket: dict[str, Any]) -> None:
        self.desk = desk
        self.ticket_id = UUID(ticket["ticket_id"])

    async def says(self, event: Event, *, at: datetime) -> None:
        """Let an event take effect in tickets; its version is the next that tickets expects of billing."""
        rows = await self.desk.house.fetch(
            "tickets",
            "SELECT version FROM inbox_position WHERE producer = 'billing' AND aggregate_id = $1",
            self.ticket_id,
        )
        await (
            self.desk.house.runtime("tickets")
            .consumers["billing"]
            .handle(
                Envelope(
                    id=uuid4(),
                    producer="billing",
                    type=event.type(),
                    desk_id=self.desk.desk_id,
                    aggregate_id=self.ticket_id,
                    aggregate_version=(rows[0]["version"] if rows else 0) + 1,
                    occurred_at=at,
                    recorded_at=at,
                    correlation_id=uuid4(),
                    data=event.model_dump(mode="json"),
                )
            )
        )

    async def withholds(self, *, at: datetime, reason: str = "awaiting_credit") -> None:
        """Keep the ticket out."""
        await self.says(AdmissionWithheld(ticket_id=self.ticket_id, reason=reason, clause="SMA-14"), at=at)

    async def grants(self, *, at: datetime) -> None:
        """Let the ticket in."""
        await self.says(AdmissionGranted(ticket_id=self.ticket_id, clauses=("SMA-14",)), at=at)

    async def answers(self) -> list[tuple[str, dict[str, Any], datetime]]:
        """Return what tickets announced about admission."""
        rows = await self.desk.house.events("tickets", self.desk.desk_id, "ticket.held.v1", "ticket.admitted.v1")
        return [(row["type"], row["data"], row["occurred_at"]) for row in rows]


@pytest.fixture
def billing(desk: DeskUnderTest, ticket: dict[str, Any]) -> Billing:
    """Return billing's voice about the ticket."""
    return Billing(desk, ticket)


class TestAdmission:
    async def test_withheld_ticket_is_held_with_reason_and_clause(
        self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing
    ):
        await billing.withholds(at=NOON)
        held = await desk.ticket(ticket)
        assert (held["state"], held["hold"]) == ("held", {"reason": "awaiting_credit", "clause": "SMA-14"})
        assert held["version"] == ticket["version"] + 1
        assert await billing.answers() == [("ticket.held.v1", {"reason": "awaiting_credit", "clause": "SMA-14"}, NOON)]
        await desk.admin.refused(409, "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "a"})

    async def test_released_ticket_counts_from_its_release(
        self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing
    ):
        later = NOON + timedelta(hours=5)
        await billing.withholds(at=NOON)
        await billing.grants(at=later)
        released = await desk.ticket(ticket)
        assert (released["state"], released["hold"]) == ("new", None)
        assert (await billing.answers())[-1] == ("ticket.admitted.v1", {"counts_from": "2026-05-04T17:00:00Z"}, later)

    async def test_ticket_never_held_counts_from_its_opening(
        self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing
    ):
        await billing.grants(at=NOON + timedelta(hours=5))
        [(type_, data, _)] = await billing.answers()
        assert (type_, data) == ("ticket.admitted.v1", {"counts_from": ticket["opened_at"]})

    async def test_held_again_for_another_reason(self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing):
        await billing.withholds(at=NOON)
        await billing.withholds(at=NOON, reason="overdue")
        assert (await desk.ticket(ticket))["hold"]["reason"] == "overdue"

    @pytest.mark.parametrize("reason", ["withdrawn"])
    async def test_ticket_that_is_over_stays_over(
        self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing, reason: str
    ):
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/closings", json={"reason": reason})
        await billing.withholds(at=NOON)
        await billing.grants(at=NOON)
        closed = await desk.ticket(ticket)
        assert (closed["state"], closed["hold"]) == ("closed", None)

    async def test_held_ticket_may_be_withdrawn(self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing):
        await billing.withholds(at=NOON)
        closed = await desk.admin.ok(
            "POST", f"/v1/tickets/{ticket['ticket_id']}/closings", json={"reason": "withdrawn"}
        )
        assert (closed["state"], closed["hold"]) == ("closed", None)


class TestTimeline:
    async def test_is_in_the_order_things_happened_not_in_that_we_learnt_them(
        self, desk: DeskUnderTest, ticket: dict[str, Any], billing: Billing
    ):
        await billing.withholds(at=NOON)  # before the opening at 13:00, but learnt after it
        entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
        assert (entries[0]["kind"], entries[0]["occurred_at"], entries[0]["recorded_at"]) == (
            "held",
            "2026-05-04T12:00:00Z",
            "2026-05-04T13:00:00Z",
        )
        instants = [entry["occurred_at"] for entry in entries]
        assert instants == sorted(instants)

    async def test_pages_through_in_the_same_order(self, desk: DeskUnderTest, ticket: dict[str, Any]):
        path = f"/v1/tickets/{ticket['ticket_id']}"
        for number in range(5):
            await desk.admin.ok("POST", f"{path}/replies", json={"text": str(number)})
        await desk.settled()
        whole = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
        paged: list[dict[str, Any]] = []
        cursor = None
        while True:
            query: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            page = await desk.admin.ok("GET", f"{path}/timeline", params=query)
            paged += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert paged == whole

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE timeline_entry SET text = 'never said'",
            "UPDATE timeline_entry SET text = 'never said' WHERE false",
            "DELETE FROM timeline_entry",
            "TRUNCATE timeline_entry",
        ],
    )
    @pytest.mark.parametrize("role", ["superuser", "owner", "system", "requests"])
    async def test_can_only_be_added_to(self, house: House, statement: str, role: str):
        # EXP-07: every intervention is recorded, and no call alters it.
        settings = house.settings["tickets"]
        credentials = house.postgres
        dsn = {
            "superuser": credentials.dsn("plazo_tickets"),
            "owner": credentials.dsn("plazo_tickets", user="tickets_owner"),
            "system": settings.system_database_url.get_secret_value(),
            "requests": settings.database_url.get_secret_value(),
        }[role]
        connection = await asyncpg.connect(dsn)
        try:
            with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)) as refused:
                await connection.execute(statement)
        finally:
            await connection.close()
        if role in ("superuser", "owner"):
            assert "append-only" in str(refused.value)
