"""The test clock of a sandbox desk: time moves from one due instant to the next, and rests until all have followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plazo.events.sla_clock import DeskClockAdvanced
from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.kernel.ids import derived_id, new_id
from plazo.kernel.time import LAST_YEAR, format_instant
from plazo.runtime.bus import BusDown
from plazo.runtime.idempotency import KeyReused
from plazo.runtime.service import Runtime
from plazo.runtime.settlement import Counts
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from sla_clock.repository import desks, timers
from sla_clock.repository.desks import Desk, Request
from sla_clock.schemas.desk_clock import ClockMove, ClockMoved, DeskClock
from sla_clock.usecases.fire_timers import fire_desk_timers
from sla_clock.usecases.work_off_recomputations import work_off

# Between these waits for the desk to come to rest it is looked up whether it can at all.
_WAITS_SECONDS = (0.5, 1.5, 4.0, 8.0, 16.0)
SETTLE_SECONDS = sum(_WAITS_SECONDS)
# A request that is repeated while it is still carried out waits so long for its answer.
_PATIENCE_SECONDS = 10.0


class DeskIsLive(PlazoError):
    """The time of a live desk is the machine's."""

    kind = Kind.CONFLICT
    code = "desk-is-live"


class ClockGoesForward(PlazoError):
    """The instant lies before the desk's present."""

    kind = Kind.CONFLICT
    code = "clock-goes-forward"


class ClockIsMoving(PlazoError):
    """Somebody else is moving the desk's clock."""

    kind = Kind.CONFLICT
    code = "clock-is-moving"


class StillMoving(PlazoError):
    """An earlier attempt at the request is under way, or somebody came in between: it goes on when repeated."""

    kind = Kind.UNAVAILABLE
    code = "clock-still-moving"


class DeskNotSettled(PlazoError):
    """A service has not followed the clock in time."""

    kind = Kind.UNAVAILABLE
    code = "desk-not-settled"


class DeskHasDeadLetters(PlazoError):
    """A service could not handle an event, so the desk does not come to rest until that is replayed or discarded."""

    kind = Kind.CONFLICT
    code = "desk-has-dead-letters"


@dataclass(frozen=True, slots=True)
class _Step:
    """Where a step led, what it told, and whether it was the last."""

    to: datetime
    told: int
    is_last: bool


async def read_desk_clock(uow: UnitOfWork, *, desk_id: UUID) -> DeskClock:
    """Return the present of a desk. :raises NotFound: if it is not the caller's"""
    async with uow.read() as connection:
        desk = await desks.read_desk(connection, desk_id)
    return DeskClock(desk_id=desk_id, sandbox=desk.sandbox, clock_at=desk.clock_at or uow.now)


async def move_desk_clock(
    runtime: Runtime, *, desk_id: UUID, now: datetime, body: ClockMove, caller: str, key: str | None, request_hash: str
) -> ClockMoved:
    """Move the clock of a sandbox desk, one due instant after the other; each has settled before the next.

    A request with a key that broke off goes on where it stopped when it is repeated, to the same instant.

    :raises DeskIsLive: if the desk is no sandbox
    :raises ClockGoesForward: if the instant lies before its present
    :raises ClockIsMoving: if another request moves it
    :raises StillMoving: if an earlier attempt at the same request does, or whoever came in between
    :raises KeyReused: if the key came with another request
    :raises DeskHasDeadLetters: if one cannot follow until somebody has seen to what it could not handle
    :raises DeskNotSettled: if a service does not follow in time; what was reached stays reached
    """
    request = Request(caller, key or str(new_id()), request_hash)
    uow = runtime.unit_of_work(desk_id=desk_id, now=now)
    patience = _PATIENCE_SECONDS if key else 0.0
    async with desks.hold_desk(runtime.settings, desk_id, patience_seconds=patience) as is_ours:
        if not is_ours:
            raise await _busy(uow, desk_id, request)
        stands_at, target = await _resolve(uow, desk_id, body, request)
        step = _Step(stands_at, told=0, is_last=False)
        while not step.is_last:
            await _settle(runtime, desk_id)
            async with uow.begin() as tx:
                step = await _take_step(tx, target, after=step.to)
                await desks.count_advance(tx.connection, desk_id, request, fired=step.told, done=step.is_last)
    async with uow.read() as connection:
        advance = await desks.find_advance(connection, desk_id, request)
    assert advance is not None
    return ClockMoved(desk_id=desk_id, clock_at=target, fired=advance.fired)


async def _busy(uow: UnitOfWork, desk_id: UUID, request: Request) -> PlazoError:
    """Return what to answer while the desk is held: an earlier attempt at the same request is waited for."""
    async with uow.read() as connection:
        before = await desks.find_advance(connection, desk_id, request)
    if before is not None and before.request_hash == request.hash:
        return StillMoving("this request is being carried out; repeat it for its answer")
    return ClockIsMoving("the clock of this desk is being moved by another request; wait for its answer")


async def _resolve(uow: UnitOfWork, desk_id: UUID, body: ClockMove, request: Request) -> tuple[datetime, datetime]:
    """Return the present of the desk and the instant that the request leads to, resolved once."""
    async with uow.begin() as tx:
        desk = await desks.read_desk(tx.connection, desk_id)
        before = await desks.find_advance(tx.connection, desk_id, request)
        if before is not None:
            if before.request_hash != request.hash:
                raise KeyReused(f"the Idempotency-Key {request.key!r} was used with another request")
            return desk.clock_at or uow.now, before.target_at
        stands_at, target = _target(desk, body)
        await desks.insert_advance(tx.connection, desk_id, request, target_at=target)
    return stands_at, target


def _target(desk: Desk, body: ClockMove) -> tuple[datetime, datetime]:
    if desk.clock_at is None:
        raise DeskIsLive("a live desk's time is the machine's and cannot be moved; create a sandbox desk for tests")
    target = body.to or desk.clock_at + body.length
    if target < desk.clock_at:
        raise ClockGoesForward(
            f"the desk's clock stands at {format_instant(desk.clock_at)} and goes forward only: "
            f"expected no instant before that, not {format_instant(target)}"
        )
    if target.year > LAST_YEAR:
        raise InvalidInput(f"expected an instant in the years to {LAST_YEAR}, not {format_instant(target)}")
    return desk.clock_at, target


async def _take_step(tx: Transaction, target: datetime, *, after: datetime) -> _Step:
    """Move to the next due instant, `target` at most, and fire what is due there.

    :raises StillMoving: if the clock does not stand where we left it: the lock was lost with its connection
    """
    desk = await desks.read_desk(tx.connection, tx.desk_id, locked=True)
    if desk.clock_at != after:
        raise StillMoving("the clock of this desk was moved by another attempt meanwhile; repeat the request")
    due_at = await timers.next_of_desk(tx.connection, until=target)
    instant = max(desk.clock_at, target if due_at is None else due_at)
    tx.now = instant
    has_moved = await desks.move_desk_clock(tx.connection, tx.desk_id, instant)
    if has_moved:
        tx.emit(
            DeskClockAdvanced(clock_at=instant),
            about=tx.desk_id,
            occurred_at=instant,
            event_id=derived_id("desk-clock", tx.desk_id, instant),
        )
    told = await fire_desk_timers(tx, at=instant)
    return _Step(instant, told, is_last=due_at is None and not has_moved and instant >= target)


async def _settle(runtime: Runtime, desk_id: UUID) -> None:
    """Wait until all have followed; recomputations asked for are part of the instant, and are worked off first."""
    while await work_off(runtime.system_work(), desk_id=desk_id):
        pass
    before: dict[str, Counts] | None = None
    for seconds in _WAITS_SECONDS:
        if await runtime.settlement.wait(desk_id=desk_id, seconds=seconds):
            return
        after = await _look(runtime, desk_id)
        if after is not None and after == before:  # nothing has moved
            _require_no_dead_letters(after)
        before = after
    raise DeskNotSettled(
        f"the desk has not come to rest in {SETTLE_SECONDS:.0f} s: {await _what_is_stuck(runtime, desk_id)}"
    )


async def _look(runtime: Runtime, desk_id: UUID) -> dict[str, Counts] | None:
    try:
        return await runtime.settlement.look(desk_id=desk_id, about=None)
    except BusDown:
        return None


def _require_no_dead_letters(counts: Mapping[str, Counts]) -> None:
    """Go on waiting. :raises DeskHasDeadLetters: if that is in vain, with where each service lists its own"""
    dead = {name.replace("_", "-"): count.dead_letters for name, count in counts.items() if count.dead_letters}
    if dead:
        listed = ", ".join(f"{count} of {name} (GET /{name}/v1/dead-letters)" for name, count in dead.items())
        raise DeskHasDeadLetters(
            f"the clock cannot move while dead letters of this desk are open: {listed}; replay or discard each",
            details={
                "dead_letters": [
                    {"service": name, "open": count, "path": f"/{name}/v1/dead-letters"} for name, count in dead.items()
                ]
            },
        )


async def _what_is_stuck(runtime: Runtime, desk_id: UUID) -> str:
    try:
        counts = await runtime.settlement.look(desk_id=desk_id, about=None)
    except BusDown as error:
        return f"a service does not answer ({error})"
    behind = [
        f"{reader} has taken in {taken_in} of {counts[producer].announced} events of {producer}"
        for reader, count in counts.items()
        for producer, taken_in in count.taken_in.items()
        if taken_in != counts[producer].announced
    ]
    dead = [f"{name} has {count.dead_letters} dead letters" for name, count in counts.items() if count.dead_letters]
    return "; ".join([*behind, *dead]) or "it came to rest just now; repeat the request"
