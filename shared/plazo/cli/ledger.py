"""`plazo ledger`: verify the ledger of billing, and give it away as a file that verifies without us."""

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import SecretStr, ValidationError
from rich.markup import escape

from plazo.cli.terminal import IN_THE_WAY, NO, console, fail
from plazo.runtime.clock import SystemClock
from plazo.runtime.database import OUTAGE, Database
from plazo.runtime.settings import Settings
from plazo.runtime.unit_of_work import Cause, SystemWork, UnitOfWork

app = typer.Typer(help="Verify the ledger, here or from a file, and export it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="answer in JSON, for scripts")]
Data = Annotated[
    Path, typer.Option("--data", help="folder of a running `plazo up`, where no PLAZO_… variables are set")
]


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="an exported ledger; nothing else is needed")] = None,
    desk: Annotated[UUID | None, typer.Option(help="verify one desk in the database of billing")] = None,
    every: Annotated[bool, typer.Option("--all", help="verify every desk in the database of billing")] = False,
    data: Data = Path(".plazo"),
    as_json: AsJson = False,
) -> None:
    """Derive everything anew and say whether it agrees and where not. Exit code 1 if something does not.

    In the database: from the entries and from what was put in. From a file: from the entries alone.
    """
    if sum((file is not None, desk is not None, every)) != 1:
        raise typer.BadParameter("expected one of FILE, --desk or --all")
    reports = [_verify_file(file)] if file is not None else asyncio.run(_verify_desks(desk, data))
    if as_json:
        sys.stdout.write(json.dumps(reports, indent=2, ensure_ascii=False) + "\n")
    else:
        for report in reports:
            _print_report(report)
    if not all(report["agrees"] for report in reports):
        raise typer.Exit(NO)


@app.command()
def export(
    desk: Annotated[UUID, typer.Argument(help="the desk")],
    output: Annotated[Path, typer.Option("-o", "--output", help="where to write (JSON lines)")],
    data: Data = Path(".plazo"),
) -> None:
    """Write the ledger of a desk to a file, which `plazo ledger verify FILE` verifies anywhere."""
    try:
        lines = asyncio.run(_write_export(desk, output, data))
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror or error}", code=IN_THE_WAY)
    console.print(f"{lines} lines written to {escape(str(output))}")


def _print_report(report: dict[str, Any]) -> None:
    verdict = "[green]agrees[/]" if report["agrees"] else "[red]does not agree[/]"
    console.print(
        f"{escape(report['ledger'])}: {verdict}: {report['transactions']} transactions, {report['entries']} entries, "
        f"{report['sealed']} sealed",
        soft_wrap=True,
    )
    for fault in report["faults"]:
        console.print(f"  {escape(fault)}", soft_wrap=True)


def _verify_file(file: Path) -> dict[str, Any]:
    exported = importlib.import_module("billing.domain.export")
    audits = importlib.import_module("billing.domain.audit")
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            audit = exported.verify_lines(lines)
    except exported.NotAnExport as error:
        fail(f"{file}: {error}", code=NO)
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}", code=IN_THE_WAY)
    return {"ledger": str(file), **audits.json_of(audit)}


async def _verify_desks(desk: UUID | None, data: Path) -> list[dict[str, Any]]:
    verification = importlib.import_module("billing.usecases.verification")
    reports = []
    async with _desks(desk, data) as open_desks:
        for uow in open_desks:
            found = await verification.verify_ledger(uow)
            reports.append({"ledger": f"desk {uow.desk_id}", **found.model_dump(mode="json")})
    return reports


async def _write_export(desk: UUID, output: Path, data: Path) -> int:
    verification = importlib.import_module("billing.usecases.verification")
    count = 0
    async with _desks(desk, data) as open_desks:
        with output.open("w", encoding="utf-8", newline="") as target:  # nothing else runs here
            for uow in open_desks:
                async for line in verification.export_ledger(uow):
                    target.write(line)
                    count += 1
    return count


@asynccontextmanager
async def _desks(desk: UUID | None, data: Path) -> AsyncIterator[list[UnitOfWork]]:
    """Open the database of billing, at the present of each desk."""
    verification = importlib.import_module("billing.usecases.verification")
    clock = SystemClock()
    try:
        async with Database.connect(_settings(data)) as database:
            presents = await verification.list_desks(SystemWork(database, clock, "billing"))
            if desk is not None and desk not in presents:
                fail(f"billing knows no desk {desk}", code=NO)
            yield [
                UnitOfWork(database=database, producer="billing", desk_id=one, now=at or clock.now(), cause=Cause())
                for one, at in presents.items()
                if desk in {None, one}
            ]
    except OUTAGE as error:
        fail(f"the database cannot be reached: {error}", code=IN_THE_WAY)


def _settings(data: Path) -> Settings:
    """Take the settings of billing from the environment, or from a stack that runs on this machine."""
    try:
        return Settings()
    except ValidationError:
        return _local_settings(data)


def _local_settings(data: Path) -> Settings:
    from plazo.local.folder import read_state
    from plazo.local.postgres import Postgres

    state = read_state(data)
    if state is None:
        fail(
            f"no PLAZO_… variables name the database of billing, and no `plazo up` runs on {data}; set "
            "PLAZO_DATABASE_URL and the others as for `plazo serve billing`, or name the folder with --data",
            code=IN_THE_WAY,
        )
    urls = Postgres(data, port=state.programs["postgres"].port).describe_database("billing")
    return Settings(
        database_url=SecretStr(urls.app),
        system_database_url=SecretStr(urls.system),
        nats_url=SecretStr("nats://unused"),
        operator_key=SecretStr("not needed here: nothing is created"),
        database_connections=2,
    )
