"""A desk under IREO's VIP plan: severity 1 is counted around the clock, so that sums are easy to follow."""

from typing import Any

import pytest
from harness import DeskUnderTest


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """A VIP contract: first response within 1 h, resolution within 4 h, warnings at 50% and 80%."""
    await desk.publish("ireo")
    return await desk.customer("ireo", plan="vip")


@pytest.fixture
async def ticket(desk: DeskUnderTest, contract: dict[str, Any]) -> dict[str, Any]:
    """A ticket of severity 1, opened on 4 May 2026 at 13:00 UTC."""
    return await desk.open_ticket(contract, facts={"impact": "stopped"})
