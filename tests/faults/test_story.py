"""The first story on the real stack, as `plazo up` runs it: whatever is killed on the way, it ends the same."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from plazo.cli.up import Migrations
from plazo.local.credentials import Credentials
from plazo.local.ports import choose_port
from plazo.local.stack import Stack
from plazo.local.story import Story, Teller, open_desk, publish_contracts

PROGRAMS = ("tickets", "sla_clock", "escalation", "billing", "nats", "postgres", "caddy")

pytestmark = pytest.mark.timeout(400)


@asynccontextmanager
async def running_stack(data: Path) -> AsyncIterator[Stack]:
    """Run everything as `plazo up` does, and keep it running."""
    stack = Stack(data, port=choose_port(), migrate=Migrations().run, durable=False)
    async with stack:
        watching = asyncio.create_task(stack.watch())
        yield stack
        watching.cancel()


class KillingTeller(Teller):
    """Kills programs with SIGKILL as the story says its lines, one after the other, and goes on."""

    def __init__(self, stack: Stack, victims: dict[int, str]) -> None:
        super().__init__(None)
        self._stack = stack
        self._victims = victims
        self._line = 0
        self.killed: list[str] = []

    def say(self, text: str = "") -> None:
        """Count the lines, and kill at some of them."""
        self._line += 1
        program = self._victims.get(self._line)
        pid = self._stack.describe().programs[program].pid if program else None
        if program is not None and pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed.append(program)


async def play(stack: Stack, teller: Teller) -> dict[str, Any]:
    """Play the story in a desk of its own and return the final state."""
    desk = await open_desk(stack.address, operator_key=Credentials(stack.data).get("operator_key"), key=str(uuid4()))
    await publish_contracts(stack.address, api_key=desk["api_key"])
    return await Story(address=stack.address, api_key=desk["api_key"], teller=teller).play()


async def test_killing_any_program_during_the_story_changes_nothing(tmp_path: Path) -> None:
    async with running_stack(tmp_path / "data") as stack:
        expected = await play(stack, Teller(None))
        assert {chapter["state"] for chapter in expected.values()} == {"closed"}
        assert expected["smartcloud"]["charges"][-1]["total"] == 3

        # Each dies twice: early in one telling and late in the other, on different lines.
        for programs in (PROGRAMS, PROGRAMS[::-1]):
            teller = KillingTeller(stack, {4 + 3 * number: program for number, program in enumerate(programs)})
            final = await play(stack, teller)

            assert teller.killed == list(programs)
            assert final == expected
