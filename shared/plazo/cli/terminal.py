"""What a command says, and how it ends."""

from typing import NoReturn

import typer
from rich.console import Console

NO = 1
IN_THE_WAY = 3

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str, *, code: int) -> NoReturn:
    """Say in one sentence what is wrong, and end with an exit code."""
    errors.print("[red]plazo:[/]", message, soft_wrap=True, markup=True)
    raise typer.Exit(code)
