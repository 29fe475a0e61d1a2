"""Fixtures over escalation by itself."""

from collections.abc import AsyncIterator

import pytest
from integration.escalation.alone import Alone, Desk, running_alone


@pytest.fixture(scope="session")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Alone]:
    """Escalation by itself."""
    async with running_alone(tmp_path_factory.mktemp("escalation")) as running:
        yield running


@pytest.fixture
async def own_desk(alone: Alone) -> Desk:
    """A fresh desk of this service; its clock stands at Monday, 4 May 2026, 13:00 UTC."""
    return await alone.new_desk()
