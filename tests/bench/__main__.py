"""`python -m bench [calendar] [timers] [recompute] [ledger]`: measure, print, and write the page."""

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.table import Table as Grid

from bench.figures import Report
from bench.machine import describe_machine, read_today
from bench.page import save_report

ROOT = Path(__file__).parents[2]
# Each is imported when it runs: only the calendar needs the peers.
PARTS = {
    "calendar": "bench.working_time",
    "timers": "bench.timers",
    "recompute": "bench.recompute",
    "ledger": "bench.ledger",
}


def main() -> None:
    """Run the parts that were asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description="Plazo against limits and peers, in one run.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--dry", action="store_true", help="print what was found, leave the documentation as it is")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; expected {', '.join(PARTS)}")
    console = Console()
    for part in asked.parts or list(PARTS):
        machine, began = describe_machine(), monotonic()
        console.rule(part)
        run: Callable[[Callable[[str], None]], Report] = importlib.import_module(PARTS[part]).run
        report = run(lambda line: console.print(line, style="dim", highlight=False))
        about = f'{read_today()}, `make bench ARGS="{part}"`, {monotonic() - began:.0f} s on {machine}.'
        show_report(report, console)
        console.print(about)
        if not asked.dry:
            save_report(report, root=ROOT, about=about)


def show_report(report: Report, console: Console) -> None:
    """Print a report as tables."""
    goals = Grid("goal", "measured", "wanted", "met", title="goals")
    for goal in report.goals:
        goals.add_row(f"{goal.name} {goal.what}", goal.measured, goal.wanted, "yes" if goal.is_met else "no")
    console.print(goals)
    for table in report.tables:
        grid = Grid(title=table.title)
        for place, column in enumerate(table.columns):
            grid.add_column(column, justify="right" if place else "left")
        for row in table.rows:
            grid.add_row(*row)
        console.print(grid)


if __name__ == "__main__":
    main()
