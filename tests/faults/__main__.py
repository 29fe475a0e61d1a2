"""`python -m faults`: rounds of traffic and faults for as long as asked; exits 1 if anything was lost or came twice."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvloop
from bench.machine import describe_machine, read_today
from rich.console import Console

from faults.breaking import draw_schedule
from faults.deployment import Deployment
from faults.flood import Flood
from faults.receiver import Receiver
from faults.report import render, save
from faults.rounds import Outcome, play_round

_FLOOD = 500  # customers that are registered while NATS is away
_FAILS_EVERY = 40  # of so many events a partner refuses one, and takes one without an answer
_WINDING_DOWN_SECONDS = 45.0  # of the time asked for: what is under way ends, all comes to rest
_NEVER_AT_REST_SECONDS = 900.0


async def soak(arguments: argparse.Namespace, outcome: Outcome, tell: Callable[[str], None]) -> None:
    """Play rounds until the time is over, or something differs; what they came to is added to `outcome`."""
    began = time.monotonic()
    until = began + max(arguments.seconds - _WINDING_DOWN_SECONDS, 30.0)
    with suppress(asyncio.CancelledError):  # Ctrl-C: the round under way does not count
        async with (
            asyncio.timeout(arguments.seconds + _NEVER_AT_REST_SECONDS),
            Deployment(arguments.data, replicas=arguments.replicas) as deployment,
        ):
            flood = Flood(deployment.address, deployment.operator_key, seed=arguments.seed, at_once=arguments.flood)
            await flood.prepare()
            while time.monotonic() < until and not outcome.differences:
                seed = arguments.seed + outcome.rounds
                tell(f"round {outcome.rounds + 1}: seed {seed}")
                schedule = draw_schedule(
                    seed, replicas=deployment.replicas, steps=arguments.steps, longest=arguments.longest
                )
                async with Receiver(fails_every=_FAILS_EVERY) as receiver:
                    played = await play_round(
                        deployment,
                        flood,
                        seed=seed,
                        steps=arguments.steps,
                        schedule=schedule,
                        until=until,
                        tell=tell,
                        receiver=receiver,
                    )
                outcome.add(played)


def main() -> int:
    """Run a soak and write its report."""
    parser = argparse.ArgumentParser(prog="make soak", description="The real programs under traffic and faults.")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long, an hour by default")
    parser.add_argument("--seed", type=int, default=None, help="what is asked and what breaks follows from it")
    parser.add_argument("--replicas", type=int, default=2, help="processes of each service")
    parser.add_argument(
        "--steps", type=int, default=400, help="steps of traffic in a round; each round has every fault"
    )
    parser.add_argument("--longest", type=float, default=60.0, help="the longest pause of a process, in seconds")
    parser.add_argument("--flood", type=int, default=_FLOOD, help="events committed while NATS is away")
    parser.add_argument("--dry", action="store_true", help="leave the documentation as it is")
    arguments = parser.parse_args()
    arguments.seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="plazo-soak-"))
    folder.chmod(0o755)  # PostgreSQL may run as somebody else
    arguments.data = folder / "data"
    began = time.monotonic()
    console = Console(soft_wrap=True, highlight=False, markup=False)
    say = console.print

    def tell(line: str) -> None:
        say(f"{time.monotonic() - began:7.1f} s  {line}")

    tell(f"seed {arguments.seed}")
    outcome = Outcome()
    try:
        uvloop.run(soak(arguments, outcome, tell))
    except KeyboardInterrupt:
        tell("interrupted")
    except (Exception, ExceptionGroup) as error:  # noqa: BLE001  # whatever it was, it is what the soak found
        say("".join(traceback.format_exception(error)))
        outcome.differences.append(f"seed {arguments.seed + outcome.rounds}: {type(error).__name__}: {error}")
    page = render(
        outcome, seed=arguments.seed, replicas=arguments.replicas, machine=describe_machine(), day=read_today()
    )
    say(page)
    if outcome.rounds and not arguments.dry:
        save(page)
    if not outcome.differences:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    failed = arguments.seed + max(outcome.rounds - 1, 0)
    say(f"logs and data: {arguments.data}")
    say(
        f'again: make soak ARGS="--seed {failed} --replicas {arguments.replicas} --steps {arguments.steps} '
        f'--longest {arguments.longest:g} --seconds {arguments.seconds:g}"'
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
