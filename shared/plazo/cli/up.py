"""`plazo up` and `plazo story`: everything on this machine, shown as it happens."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from plazo.cli.terminal import console
from plazo.events.envelope import SERVICES
from plazo.kernel.errors import Kind, PlazoError
from plazo.kernel.ids import new_id
from plazo.local.credentials import Credentials
from plazo.local.stack import Stack
from plazo.local.story import Story, Teller, open_desk, publish_contracts

_DESK_FILE = "desk.json"
_BUSY = "starting"


class NoData(PlazoError):
    """The folder holds no data of a running Plazo."""

    kind = Kind.NOT_FOUND
    code = "no-data"


async def run_stack(*, data: Path, host: str, port: int, replicas: int, story: bool | None) -> None:
    """Run the stack until a signal; the first time, make a sandbox desk and play the story in it.

    :raises LocalStackError: in one sentence, if something is in the way
    """
    steps = Steps()
    stack = Stack(data, host=host, port=port, replicas=replicas, on_progress=steps.tell, migrate=Migrations().run)

    async def when_started() -> None:
        steps.close()
        desk = await _desk(stack.address, data)
        if story or (story is None and not desk["story_played"]):
            await Story(address=stack.address, api_key=desk["api_key"], teller=Teller(console)).play()
            _save(data, desk | {"story_played": True})
        _print_address(stack.address, desk)

    with steps:
        await stack.run(when_started=when_started)
    console.print(f"Plazo has stopped; its data is kept in {data}", soft_wrap=True)


async def play_story(*, address: str, data: Path, quiet: bool) -> dict[str, Any]:
    """Play the story in a new sandbox desk of a running Plazo and return the final state.

    :raises NoData: if `data` is not the folder of a running Plazo
    """
    if not (data / "secrets.json").exists():
        raise NoData(f"{data} is not the data folder of a running Plazo; start it with `plazo up`, or say --data")
    operator_key = Credentials(data).get("operator_key")
    desk = await open_desk(address, operator_key=operator_key, key=str(new_id()))
    await publish_contracts(address, api_key=desk["api_key"])
    return await Story(address=address, api_key=desk["api_key"], teller=Teller(None if quiet else console)).play()


async def _desk(address: str, data: Path) -> dict[str, Any]:
    """Return the sandbox desk of this data folder, made the first time with the five contracts in it."""
    file = data / _DESK_FILE
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return kept
    operator_key = Credentials(data).get("operator_key")
    desk = await open_desk(address, operator_key=operator_key, key="the first desk") | {"story_played": False}
    published = await publish_contracts(address, api_key=desk["api_key"])
    console.print(f"the five support contracts are loaded: {', '.join(published)}", soft_wrap=True)
    _save(data, desk)
    return desk


def _save(data: Path, desk: dict[str, Any]) -> None:
    file = data / _DESK_FILE
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(desk, indent=2), "utf-8")
    draft.replace(file)


def _print_address(address: str, desk: dict[str, Any]) -> None:
    def say(label: str, text: str) -> None:
        console.print(f"  {label:<18}{text}", soft_wrap=True)  # lines that are copied must not be cut

    console.print()
    console.print("[bold]Plazo answers at[/]", address)
    for name in SERVICES:
        say("API documentation" if name == SERVICES[0] else "", f"{address}/{name.replace('_', '-')}/docs")
    say("sandbox desk", desk["desk_id"])
    say("its API key", desk["api_key"])
    say("try", f"curl -H 'Authorization: Bearer {desk['api_key']}' {address}/v1/tickets")
    console.print("[dim]Ctrl-C stops it; all data is kept.[/]")


class Migrations:
    """Migrates in this process, one service after the other: four processes would each load the same libraries."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, service: str, environment: Mapping[str, str]) -> None:
        """Bring the database of a service to the newest version."""
        from plazo.runtime import migrations  # seldom needed, and slow to load

        async with self._turn:
            await migrations.upgrade(service, dsn=environment["PLAZO_OWNER_DATABASE_URL"])


class Steps:
    """Shows the programs of the stack as they start; afterwards a line for each that ends or starts again."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._tasks: dict[str, Any] = {}
        self._is_open = True

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, step: str, state: str) -> None:
        """Show that `step` is now in `state`."""
        if not self._is_open:
            if state not in ("stopping", "stopped"):
                console.print(f"[yellow]{step}[/] {state}")
            return
        if state == _BUSY:
            self._tasks[step] = self._progress.add_task(step, total=1)
        elif step in self._tasks:
            self._progress.update(self._tasks[step], completed=1, description=step)

    def close(self) -> None:
        """Leave what was shown on the screen, and show no more spinners."""
        if self._is_open:
            self._is_open = False
            self._progress.stop()
