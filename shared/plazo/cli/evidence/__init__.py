"""`plazo evidence`: the dossier of a ticket as files that can be read, and verified, without us."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from plazo.cli.terminal import IN_THE_WAY, NO, console, fail
from plazo.kernel.errors import PlazoError
from plazo.runtime.clock import SystemClock

Ticket = Annotated[str | None, typer.Argument(metavar="TICKET", help="number or id of the ticket")]
Url = Annotated[str, typer.Option("--url", help="where Plazo answers", envvar="PLAZO_ADDRESS")]
Key = Annotated[
    str | None,
    typer.Option("--key", help="API key of somebody of the desk's staff", envvar="PLAZO_KEY", show_default=False),
]


def evidence(
    ticket: Ticket = None,
    url: Url = "http://127.0.0.1:8080",
    key: Key = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write to")] = Path(),
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="verify a pack; needs no server")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="answer in JSON, for scripts")] = False,
) -> None:
    """Write the evidence of a ticket (JSON, and a page in the contract's language), or verify such a file.

    Exit code 1 if the file is not what was written.
    """
    if (ticket is None) == (verify is None):
        raise typer.BadParameter("expected a TICKET, or --verify FILE")
    if verify is not None:
        _verify(verify, as_json=as_json)
    elif key is None:
        raise typer.BadParameter("expected --key, or PLAZO_KEY")
    else:
        _write(str(ticket), url=url, key=key, output=output, as_json=as_json)


def _write(ticket: str, *, url: str, key: str, output: Path, as_json: bool) -> None:
    from plazo.cli.evidence.collect import collect_pack
    from plazo.cli.evidence.page import render_page

    try:
        pack = asyncio.run(collect_pack(ticket, url=url, key=key, now=SystemClock().now()))
    except PlazoError as error:
        fail(error.message, code=IN_THE_WAY)
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"{pack['number']}.evidence.json"
    page = file.with_suffix("").with_suffix(".evidence.html")
    file.write_text(json.dumps(pack, indent=1, ensure_ascii=False), "utf-8")
    page.write_text(render_page(pack), "utf-8")
    if as_json:
        said = {"file": str(file), "page": str(page), "hash": pack["hash"]}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
        return
    console.print(escape(f"{file}\n{page}"), soft_wrap=True)
    console.print(f"SHA-256 of the pack: {pack['hash']}", soft_wrap=True)


def _verify(file: Path, *, as_json: bool) -> None:
    from plazo.cli.evidence.pack import verify_pack

    try:
        pack: Any = json.loads(file.read_text("utf-8"))
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", code=IN_THE_WAY)
    except ValueError as error:
        fail(f"{file} is not JSON any more: {error}", code=NO)
    verdict = verify_pack(pack)
    if as_json:
        sys.stdout.write(json.dumps(verdict.as_json(), indent=2, ensure_ascii=False) + "\n")
    elif verdict.faults:
        console.print(f"[red]{escape(verdict.number)} is not what was written:[/]")
        for fault in verdict.faults:
            console.print(f"  {escape(fault)}", soft_wrap=True)
    else:
        console.print(f"[green]{escape(verdict.number)} verifies:[/] {verdict.entries} entries, hash {verdict.hash}")
        if verdict.erased:
            console.print(f"  the words of {verdict.erased} entries were erased at a person's request", soft_wrap=True)
    if verdict.faults:
        raise typer.Exit(NO)
