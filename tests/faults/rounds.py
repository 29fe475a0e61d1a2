"""A round: traffic, faults beside it, quiet, and the comparison."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from faults.breaking import Breaker, Fault, Scene
from faults.compare import differences
from faults.deployment import Deployment
from faults.flood import Flood
from faults.receiver import Receiver
from faults.streams import events_are_whole
from faults.traffic import Traffic

_HEALTHY_SECONDS = 120.0
_AT_REST_SECONDS = 180.0

Tell = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What a round, or several, came to."""

    requests: int = 0
    repeated: int = 0
    tickets: int = 0
    posts: int = 0
    events: int = 0
    entries: int = 0
    rounds: int = 0
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        """Count another round in; events are those of the whole deployment, so the later look has them all."""
        self.requests += other.requests
        self.repeated += other.repeated
        self.tickets += other.tickets
        self.posts += other.posts
        self.entries = other.entries
        self.events = other.events
        self.rounds += other.rounds
        self.seconds += other.seconds
        self.struck += other.struck
        self.missed += other.missed
        self.differences += other.differences


async def play_round(
    deployment: Deployment,
    flood: Flood,
    *,
    seed: int,
    steps: int,
    schedule: Sequence[Fault],
    until: float,
    tell: Tell,
    receiver: Receiver | None = None,
) -> Outcome:
    """Play one round on a running deployment, and say what differs from what must be.

    At `until` (of the monotonic clock) the traffic ends, however many steps it has taken. `receiver` is a partner that
    all desks tell what happens.
    """
    began = time.monotonic()
    traffic = Traffic(deployment.address, deployment.operator_key, seed, receiver=receiver)
    await traffic.prepare()
    breaker = Breaker(Scene(deployment, flood.pour), schedule, tell=tell)
    try:
        number = 0
        async for _ in traffic.steps(steps):
            number += 1
            breaker.reach(number)
            if time.monotonic() > until:
                break
        await breaker.finish()
    except BaseException:
        await breaker.give_up()
        deployment.heal()
        raise
    await until_healthy(deployment)
    tell(f"{number} steps, {time.monotonic() - began:.0f} s; comparing")
    databases = deployment.databases()
    found = await events_are_whole(databases, within_seconds=_AT_REST_SECONDS)
    wrong = [*found.differences, *await flood.differences(databases), *await differences(traffic, databases=databases)]
    exchanges = traffic.accepted.exchanges
    await traffic.close()
    return Outcome(
        requests=len(exchanges),
        repeated=traffic.accepted.repeated(),
        tickets=sum(1 for one in exchanges if one.is_accepted and one.path == "/v1/tickets"),
        posts=sum(len(receiver.posts[office.name]) for office in traffic.offices) if receiver else 0,
        events=found.events,
        entries=found.entries,
        rounds=1,
        seconds=time.monotonic() - began,
        struck=breaker.struck,
        missed=breaker.missed,
        differences=[f"seed {seed}: {one}" for one in wrong],
    )


async def until_healthy(deployment: Deployment) -> None:
    """Wait until every process says that it is ready, and nothing is missing."""
    deadline = time.monotonic() + _HEALTHY_SECONDS
    waiting = {f"http://127.0.0.1:{deployment.port(name)}/readyz" for name in deployment.replicas}
    last = ""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        while waiting:
            for url in list(waiting):
                try:
                    answer = await client.get(url)
                    last = answer.text
                    if answer.status_code == httpx.codes.OK and answer.json()["status"] == "ready":
                        waiting.discard(url)
                except (httpx.TransportError, AttributeError) as error:
                    last = type(error).__name__
            assert time.monotonic() < deadline, f"not ready again after {_HEALTHY_SECONDS:g} s: {waiting} {last}"
            await asyncio.sleep(0.05)
