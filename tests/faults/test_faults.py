"""The short version of `make soak`: every kind of fault once, under traffic and the first story, and nothing lost.

`PLAZO_FAULT_SEED` plays another seed.
"""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from faults.breaking import KINDS, draw_schedule
from faults.deployment import Deployment
from faults.flood import Flood
from faults.rounds import play_round
from plazo.local.story import Story, Teller, open_desk, publish_contracts

SEED = int(os.environ.get("PLAZO_FAULT_SEED", "9"))
STEPS = 28
LONGEST_SECONDS = 1.5

REPLICAS = ["tickets", "sla_clock", "escalation", "billing"]  # a second of each would be ten seconds more


async def tell_story(deployment: Deployment) -> dict[str, Any]:
    """Play the first story, as `plazo up` does, in a desk of its own; return its end."""
    desk = await open_desk(deployment.address, operator_key=deployment.operator_key, key=str(uuid4()))
    await publish_contracts(deployment.address, api_key=desk["api_key"])
    return await Story(address=deployment.address, api_key=desk["api_key"], teller=Teller(None)).play()


@pytest.mark.timeout(500)
async def test_nothing_is_lost_whatever_breaks(tmp_path: Path) -> None:
    said = [f"PLAZO_FAULT_SEED={SEED}"]
    async with Deployment(tmp_path / "data", replicas=1) as deployment:
        assert deployment.replicas == REPLICAS
        flood = Flood(deployment.address, deployment.operator_key, seed=SEED, at_once=100)
        await flood.prepare()
        async with asyncio.TaskGroup() as group:  # what fails in one ends the other
            story = group.create_task(tell_story(deployment))
            played = group.create_task(
                play_round(
                    deployment,
                    flood,
                    seed=SEED,
                    steps=STEPS,
                    schedule=draw_schedule(SEED, replicas=REPLICAS, steps=STEPS, longest=LONGEST_SECONDS),
                    until=time.monotonic() + 300,
                    tell=said.append,
                )
            )
    outcome, told = played.result(), story.result()

    assert outcome.differences == [], "\n".join(said)
    assert outcome.struck + outcome.missed == Counter([*KINDS]), said
    assert {chapter["state"] for chapter in told.values()} == {"closed"}
    assert told["smartcloud"]["charges"][-1]["total"] == 3


def test_a_seed_gives_the_same_faults_again() -> None:
    first, again, other = (draw_schedule(seed, replicas=REPLICAS, steps=100) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert Counter(fault.kind for fault in first) == Counter([*KINDS])
    assert all(0 < fault.step <= 90 for fault in first)  # the last tenth of the traffic meets what was broken before
