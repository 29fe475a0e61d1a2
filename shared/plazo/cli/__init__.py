"""The command `plazo`.

Exit codes: 0 done, 1 the answer is no (a document has faults, a check failed), 2 the command was not understood,
3 something outside is in the way (a busy port, no server, no permission).
"""

import asyncio
import json
import sys
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from plazo.cli import backup, evidence, ledger, policy
from plazo.cli.terminal import IN_THE_WAY, NO, console, fail
from plazo.events.envelope import SERVICES
from plazo.kernel.errors import PlazoError

app = typer.Typer(
    help="Plazo executes written support contracts: deadlines, escalations and charges, clause by clause.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(policy.app, name="policy")
app.command(name="evidence")(evidence.evidence)
app.add_typer(ledger.app, name="ledger")
app.command()(backup.backup)
app.command()(backup.restore)

Data = Annotated[Path, typer.Option("--data", help="folder that holds everything", envvar="PLAZO_DATA")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="port of the one address", envvar="PLAZO_PORT")]
AsJson = Annotated[bool, typer.Option("--json", help="answer in JSON, for scripts")]
ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="tickets, sla-clock, escalation or billing")]


def _service(name: str) -> str:
    package = name.replace("-", "_")
    if package not in SERVICES:
        expected = ", ".join(service.replace("_", "-") for service in SERVICES)
        raise typer.BadParameter(f"there is no service {name!r}; expected one of {expected}")
    return package


@app.command()
def up(
    data: Data = Path(".plazo"),
    port: Port = 8080,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    replicas: Annotated[int, typer.Option(min=1, max=8, help="processes of each service")] = 1,
    story: Annotated[
        bool | None, typer.Option("--story/--no-story", help="play the first story; by default on the first start")
    ] = None,
) -> None:
    """Run everything on this machine: PostgreSQL, NATS, the four services and the gateway. Ctrl-C stops it."""
    from plazo.cli.up import run_stack

    try:
        asyncio.run(run_stack(data=data, host=host, port=port, replicas=replicas, story=story))
    except PlazoError as error:
        fail(error.message, code=IN_THE_WAY)
    except PermissionError as error:
        fail(f"no permission for {error.filename}; choose another folder with --data", code=IN_THE_WAY)


@app.command()
def serve(
    service: ServiceName,
    smtp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="take e-mail by SMTP there; for tickets only")
    ] = None,
) -> None:
    """Run one service, told by PLAZO_… environment variables what to connect to. For containers, and for `up`."""
    from plazo.cli.serve import run_service

    if smtp is not None and service != "tickets":
        raise typer.BadParameter(f"{service} takes no e-mail; --smtp is for tickets")
    run_service(_service(service), smtp_listen=smtp)


@app.command()
def migrate(service: ServiceName) -> None:
    """Bring a service's database (PLAZO_OWNER_DATABASE_URL) to the newest version. Safe to run at once twice."""
    from plazo.cli.migrate import run_migrations

    run_migrations(_service(service))


@app.command()
def story(
    address: Annotated[str, typer.Option(help="where Plazo answers", envvar="PLAZO_ADDRESS")] = "http://127.0.0.1:8080",
    data: Data = Path(".plazo"),
    as_json: AsJson = False,
) -> None:
    """Play the first story in a new sandbox desk of a running Plazo: one ticket under each of the five contracts."""
    from plazo.cli.up import play_story

    try:
        final = asyncio.run(play_story(address=address, data=data, quiet=as_json))
    except PlazoError as error:
        fail(error.message, code=IN_THE_WAY)
    if as_json:
        sys.stdout.write(json.dumps(final, indent=2, ensure_ascii=False) + "\n")


@app.command()
def clauses(
    tests: Annotated[Path, typer.Option(help="folder of the clause tests, in a checkout")] = Path("tests/clauses"),
    run: Annotated[bool, typer.Option("--run/--no-run", help="run the tests, not only look for them")] = True,
    as_json: AsJson = False,
) -> None:
    """List the clauses of the five contracts: which have a test that drives the running services, and passes."""
    from plazo.cli.clauses import show_clauses

    show_clauses(tests=tests, run=run, as_json=as_json)


@app.command()
def doctor(data: Data = Path(".plazo"), port: Port = 8080, as_json: AsJson = False) -> None:
    """Look at what a first start needs of this machine, and say what is missing."""
    from plazo.local.doctor import run_checks
    from plazo.runtime.clock import SystemClock

    checks = run_checks(data, port, now=SystemClock().now())
    if as_json:
        rows = [{"name": check.name, "ok": check.is_ok, "detail": check.detail} for check in checks]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for check in checks:
            table.add_row("[green]ok[/]" if check.is_ok else "[red]no[/]", check.name, check.detail)
        console.print(table)
    if not all(check.is_ok for check in checks):
        raise typer.Exit(NO)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Say which version this is, and of which time zone data."""
    from plazo.calendar import TZ_VERSION

    about = {"plazo": distribution_version("plazo"), "python": sys.version.split()[0], "tzdata": TZ_VERSION}
    if as_json:
        sys.stdout.write(json.dumps(about) + "\n")
    else:
        sys.stdout.write(" ".join(f"{name} {number}" for name, number in about.items()) + "\n")


if __name__ == "__main__":
    app()
