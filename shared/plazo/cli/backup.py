"""`plazo backup` and `plazo restore`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from plazo.cli.terminal import IN_THE_WAY, console, fail
from plazo.kernel.errors import PlazoError
from plazo.kernel.time import format_instant
from plazo.local.archive import Manifest

Data = Annotated[Path, typer.Option("--data", help="folder of `plazo up`", envvar="PLAZO_DATA")]
NewData = Annotated[Path, typer.Option("--data", help="folder to make; absent or empty", envvar="PLAZO_DATA")]


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="the file to write, or a folder to write one into")],
    data: Data = Path(".plazo"),
    with_secrets: Annotated[
        bool, typer.Option("--secrets/--no-secrets", help="with the passwords and keys of this installation")
    ] = True,
) -> None:
    """Back up everything in one file, while Plazo runs or not. Nothing stops meanwhile."""
    from plazo.local.backup import back_up
    from plazo.runtime.clock import SystemClock

    if target.is_dir():
        target /= f"plazo-{SystemClock().now():%Y%m%dT%H%M%SZ}.tar"
    try:
        manifest = asyncio.run(back_up(data, target, with_secrets=with_secrets))
    except PlazoError as error:
        fail(escape(error.message), code=IN_THE_WAY)
    except OSError as error:
        fail(escape(f"cannot write {target}: {error.strerror or error}"), code=IN_THE_WAY)
    console.print(f"{escape(str(target))}: {_describe(manifest)}", soft_wrap=True)
    if manifest.has_secrets:
        console.print(
            "[bold yellow]It holds the passwords and encryption keys of this installation.[/] Keep it as you keep "
            "those, or write it with --no-secrets and keep secrets.json elsewhere.",
            soft_wrap=True,
        )
    else:
        console.print(
            f"[bold yellow]It holds no secrets.[/] Keep {escape(str(data / 'secrets.json'))} elsewhere: "
            "a restore asks for it.",
            soft_wrap=True,
        )


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="what `plazo backup` wrote")],
    data: NewData = Path(".plazo"),
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", help="secrets.json of the installation: needed without it inside, compared with it"),
    ] = None,
) -> None:
    """Make a new data folder from a back-up; then `plazo up --data FOLDER` goes on from there."""
    from plazo.local.backup import restore as restore_backup

    try:
        manifest = asyncio.run(restore_backup(source, data, secrets=secrets))
    except PlazoError as error:
        fail(escape(error.message), code=IN_THE_WAY)
    except OSError as error:
        fail(escape(f"cannot write {data}: {error.strerror or error}"), code=IN_THE_WAY)
    console.print(f"{escape(str(data))} is restored: {_describe(manifest)}", soft_wrap=True)
    if secrets is None:
        console.print(
            "[bold yellow]The file vouched for itself[/], with the key it holds. With --secrets it is compared with "
            "the secrets.json that you kept elsewhere.",
            soft_wrap=True,
        )
    console.print(f"go on with: plazo up --data {escape(str(data))}", soft_wrap=True)


def _describe(manifest: Manifest) -> str:
    rows = sum(sum(database.rows.values()) for database in manifest.databases.values())
    attachments = sum(name.startswith("attachments/") for name in manifest.files)
    return (
        f"everything as of {format_instant(manifest.taken_at)}, {rows} rows in {len(manifest.databases)} databases, "
        f"{attachments} attachments, plazo {manifest.plazo}"
    )
