"""`plazo clauses`: which clauses of the five contracts have a test of their own, and whether it passes."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import typer
from rich.table import Table

from plazo.cli.terminal import IN_THE_WAY, NO, console, fail
from plazo.policy.clauses import CLAUSES

_NAME = re.compile(r"def test_([a-z]{3})_(\d{2,})_")
_STYLE = {"passes": "green", "fails": "red", "has a test": "cyan", "no test yet": "dim"}


def show_clauses(*, tests: Path, run: bool, as_json: bool) -> None:
    """Print each clause with the state of its test; `tests` is the folder of the clause tests."""
    if not tests.is_dir():
        fail(f"there is no folder {tests}; run this in a checkout, or say where with --tests", code=IN_THE_WAY)
    found = find_tested(tests)
    states = run_tests(tests) if run else dict.fromkeys(found, "has a test")
    rows = [(clause, states.get(clause.id, "no test yet")) for clause in CLAUSES.values()]
    if as_json:
        answer = [
            {"id": clause.id, "provider": clause.provider, "text": clause.text, "state": state}
            for clause, state in rows
        ]
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    else:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for clause, state in rows:
            table.add_row(clause.id, f"[{_STYLE[state]}]{state}[/]", clause.text)
        console.print(table)
        good = sum(state in ("passes", "has a test") for _, state in rows)
        console.print(f"{good} of {len(rows)} clauses {'pass' if run else 'have a test'}")
    if "fails" in states.values():
        raise typer.Exit(NO)


def find_tested(tests: Path) -> set[str]:
    """Return the ids of the clauses that have a test named after them."""
    texts = (file.read_text("utf-8") for file in sorted(tests.glob("test_*.py")))
    return {f"{prefix.upper()}-{number}" for text in texts for prefix, number in _NAME.findall(text)}


def run_tests(tests: Path) -> dict[str, str]:
    """Run the clause tests and return the state of each clause that has one; one failing test fails its clause."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(  # noqa: S603  # this interpreter, on tests of this checkout
            [sys.executable, "-m", "pytest", str(tests), "-q", f"--junit-xml={report}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            fail(f"pytest did not run: {(done.stderr or done.stdout).strip()[-400:]}", code=IN_THE_WAY)
        cases = ET.parse(report).iter("testcase")  # noqa: S314  # written by pytest a moment ago
        states: dict[str, str] = {}
        for case in cases:
            named = re.match(r"test_([a-z]{3})_(\d{2,})_", case.get("name", ""))
            if named:
                clause = f"{named[1].upper()}-{named[2]}"
                failed = case.find("failure") is not None or case.find("error") is not None
                states[clause] = "fails" if failed or states.get(clause) == "fails" else "passes"
        return states
