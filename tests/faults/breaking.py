"""What can break, and when: a schedule that follows from a seed, and the hands that carry it out."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import asyncpg
import nats
from nats.aio.client import Client

from faults.deployment import Deployment
from faults.proxy import Link, Mode
from plazo.events.envelope import SERVICES

_INFRASTRUCTURE = ("nats", "postgres")
_COPIES = 300  # messages that are published again at once
_OCCASION_SECONDS = 10.0

Flood = Callable[[], Awaitable[None]]
"""Has hundreds of events committed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what, where, from which step of the traffic on, for how long; `amount` as the kind needs it."""

    step: int
    kind: str
    target: str
    seconds: float
    amount: float

    def __str__(self) -> str:
        return f"step {self.step}: {self.kind} of {self.target} for {self.seconds:.1f} s ({self.amount:.2f})"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens."""

    deployment: Deployment
    flood: Flood

    def links(self, *, source: str | None = None, target: str | None = None) -> list[Link]:
        """Return the links between some programs."""
        return [
            link
            for link in self.deployment.links
            if (source is None or link.source == source) and (target is None or link.target == target)
        ]

    def of(self, service: str) -> list[str]:
        """Return the processes of a service."""
        return [name for name in self.deployment.replicas if name.partition("-")[0] == service]

    def kill(self, *programs: str) -> None:
        """SIGKILL, with whatever they have started."""
        for program in programs:
            self.deployment.signal(program, signal.SIGKILL)


async def kill(scene: Scene, fault: Fault) -> None:
    """SIGKILL one program."""
    scene.kill(fault.target)


async def replace(scene: Scene, fault: Fault) -> None:
    """SIGTERM one service process, which leaves in good order and is started again."""
    scene.deployment.signal(fault.target, signal.SIGTERM)


async def kill_everything(scene: Scene, _: Fault) -> None:
    """SIGKILL every program at once."""
    scene.kill(*scene.deployment.programs())


async def kill_backend(scene: Scene, fault: Fault) -> None:
    """SIGKILL a process of PostgreSQL that serves a service: the server then ends all sessions and recovers."""
    connection = await asyncpg.connect(scene.deployment.databases()[fault.target], timeout=5)
    try:
        pids = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend' ORDER BY state_change DESC NULLS LAST",
            f"plazo_{fault.target}",
        )
    finally:
        connection.terminate()
    if pids:
        scene.deployment.kill_process(pids[int(fault.amount * len(pids))]["pid"])


async def kill_unpublished(scene: Scene, fault: Fault) -> None:
    """SIGKILL all processes of a service while events that it committed are not on the bus."""
    away = [link for name in scene.of(fault.target) for link in scene.links(source=name, target="nats")]
    for link in away:
        link.become(Mode.BLACKHOLE)
    try:
        await _until(scene, fault.target, "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)")
        scene.kill(*scene.of(fault.target))
    finally:
        for link in away:
            link.heal()


async def _until(scene: Scene, service: str, question: str) -> None:
    """Wait until the database of a service says yes, or for so long that the fault happens anyway."""
    connection = await asyncpg.connect(scene.deployment.databases()[service], timeout=5)
    try:
        deadline = time.monotonic() + _OCCASION_SECONDS
        while not await connection.fetchval(question):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.005)
    finally:
        connection.terminate()


async def pause(scene: Scene, fault: Fault) -> None:
    """SIGSTOP a program, and let it go on later as if nothing had been."""
    scene.deployment.signal(fault.target, signal.SIGSTOP)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        scene.deployment.signal(fault.target, signal.SIGCONT)


def break_link(mode: Mode) -> "Strike":
    """Return what breaks one link for a while."""

    async def strike(scene: Scene, fault: Fault) -> None:
        (link,) = (link for link in scene.deployment.links if str(link) == fault.target)
        link.become(mode, delay_seconds=0.02 + 0.6 * fault.amount)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            link.heal()

    return strike


async def turn_clock(scene: Scene, fault: Fault) -> None:
    """Turn the machine's clock of one process: hours ahead, hours back, minutes ahead, and right again."""
    hours = timedelta(hours=0.05 + 6 * fault.amount)
    if fault.target.startswith("sla_clock"):
        await _until(scene, "sla_clock", "SELECT EXISTS (SELECT FROM timer WHERE live AND state = 'armed')")
    try:
        for offset in (hours, -hours, hours / 60):
            scene.deployment.turn_clock(fault.target, offset)
            await asyncio.sleep(fault.seconds / 3)
    finally:
        scene.deployment.turn_clock(fault.target, timedelta(0))


@asynccontextmanager
async def _nats_client(scene: Scene) -> AsyncIterator[Client]:
    async def expect(_: Exception) -> None:
        """Say nothing: another fault may have NATS just now."""

    client = await nats.connect(scene.deployment.nats_url(), connect_timeout=5, allow_reconnect=False, error_cb=expect)
    try:
        yield client
    finally:
        await client.close()


async def repeat_messages(scene: Scene, fault: Fault) -> None:
    """Publish stored messages of a producer once more, in any order, under new message ids."""
    async with _nats_client(scene) as client:
        js = client.jetstream(timeout=5)
        stream = f"PLAZO_{fault.target.upper()}"
        state = (await js.stream_info(stream)).state
        lot = random.Random(fault.amount)
        # What is new most of all: its effect may be under way just now.
        first = max(state.first_seq, state.last_seq - 5 * _COPIES)
        sequences = lot.sample(range(first, state.last_seq + 1), min(_COPIES, max(state.last_seq - first, 0)))
        for sequence in sequences:
            message = await js.get_msg(stream, sequence)
            headers = {**(message.headers or {}), "Nats-Msg-Id": str(uuid4())}
            await client.publish(message.subject or "", message.data or b"", headers=headers)
        await client.flush()


async def forget_readers(scene: Scene, fault: Fault) -> None:
    """Delete the places of all readers of a producer: everything it ever announced is delivered again."""
    async with _nats_client(scene) as client:
        js = client.jetstream(timeout=5)
        stream = f"PLAZO_{fault.target.upper()}"
        for reader in await js.consumers_info(stream):
            await js.delete_consumer(stream, reader.name)


async def fill_outbox(scene: Scene, fault: Fault) -> None:
    """Keep NATS away while hundreds of events are committed; kill relays as they bring them, one after the other."""
    away = scene.links(target="nats")
    for link in away:
        link.become(Mode.CUT)
    try:
        await asyncio.gather(scene.flood(), asyncio.sleep(fault.seconds))
    finally:
        for link in away:
            link.heal()
    for name in scene.of("tickets"):
        await asyncio.sleep(0.15 + 0.3 * fault.amount)
        scene.kill(name)


Strike = Callable[[Scene, Fault], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what does it, to which targets, and for how long."""

    strike: Strike
    targets: Callable[[Sequence[str]], Sequence[str]]
    seconds: tuple[float, float] = (0.0, 0.0)  # a timer loop sleeps for a second: a clock is wrong for longer


def _links(replicas: Sequence[str]) -> list[str]:
    return [
        *(f"{name} to {target}" for name in replicas for target in ("postgres", "nats")),
        *(f"caddy to {name}" for name in replicas),
    ]


KINDS: dict[str, Kind] = {
    "service killed": Kind(kill, lambda replicas: replicas),
    "service replaced": Kind(replace, lambda replicas: replicas),
    "killed between commit and publishing": Kind(kill_unpublished, lambda _: SERVICES),
    "NATS killed": Kind(kill, lambda _: ["nats"]),
    "PostgreSQL killed": Kind(kill, lambda _: ["postgres"]),
    "PostgreSQL backend killed": Kind(kill_backend, lambda _: SERVICES),
    "gateway killed": Kind(kill, lambda _: ["caddy"]),
    "everything killed": Kind(kill_everything, lambda _: ["everything"]),
    "process paused": Kind(pause, lambda replicas: [*replicas, *_INFRASTRUCTURE], (1.0, 60.0)),
    "link cut": Kind(break_link(Mode.CUT), _links, (0.1, 10.0)),
    "link delayed": Kind(break_link(Mode.DELAY), _links, (1.0, 20.0)),
    "link half-closed": Kind(break_link(Mode.HALF_CLOSE), _links, (0.1, 5.0)),
    "link blackholed": Kind(break_link(Mode.BLACKHOLE), _links, (1.0, 20.0)),
    "link trickling": Kind(break_link(Mode.TRICKLE), _links, (1.0, 10.0)),
    "clock turned": Kind(turn_clock, lambda replicas: replicas, (4.0, 20.0)),
    "messages repeated out of order": Kind(repeat_messages, lambda _: SERVICES),
    "everything delivered again": Kind(forget_readers, lambda _: SERVICES),
    "outbox filled, relays killed": Kind(fill_outbox, lambda _: ["NATS"], (1.0, 10.0)),
}


def draw_schedule(
    seed: int, *, replicas: Sequence[str], steps: int, each: float = 1.0, longest: float = 60.0
) -> list[Fault]:
    """Return the faults of a round, the same for the same arguments.

    Every kind comes `each` times on average, and at least once where that is 1; `longest` is in seconds.
    """
    lot = random.Random(seed)
    deck = [*KINDS] * int(each) + lot.sample([*KINDS], round((each - int(each)) * len(KINDS)))
    lot.shuffle(deck)
    # The last tenth of the traffic is left in peace, so that something is sent after every fault.
    at = sorted(lot.randrange(1, max(2, steps * 9 // 10)) for _ in deck)
    faults = []
    for step, name in zip(at, deck, strict=True):
        kind = KINDS[name]
        shortest, longest_of_kind = kind.seconds
        faults.append(
            Fault(
                step=step,
                kind=name,
                target=lot.choice(kind.targets(replicas)),
                seconds=lot.uniform(shortest, max(shortest, min(longest_of_kind, longest))),
                amount=lot.random(),
            )
        )
    return faults


class Breaker:
    """Carries out a schedule beside the traffic."""

    def __init__(self, scene: Scene, schedule: Iterable[Fault], *, tell: Callable[[str], None]) -> None:
        self._scene = scene
        self._left = sorted(schedule, key=lambda fault: fault.step)
        self._tell = tell
        self._under_way: set[asyncio.Task[None]] = set()
        self.struck: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()

    def reach(self, step: int) -> None:
        """Begin what is due by `step` of the traffic."""
        while self._left and self._left[0].step <= step:
            task = asyncio.create_task(self._strike(self._left.pop(0)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait for what is under way, and mend everything."""
        await asyncio.gather(*self._under_way)
        self._scene.deployment.heal()

    async def give_up(self) -> None:
        """Let go at once of what is under way."""
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _strike(self, fault: Fault) -> None:
        self._tell(str(fault))
        try:
            await KINDS[fault.kind].strike(self._scene, fault)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, nats.errors.Error) as error:
            # Another fault has what this one needs: no matter, as long as it is not called done.
            self.missed[fault.kind] += 1
            self._tell(f"  {fault.kind} missed: {type(error).__name__} {error}")
        else:
            self.struck[fault.kind] += 1
