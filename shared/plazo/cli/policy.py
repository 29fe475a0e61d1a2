"""`plazo policy`: check, compare and publish policy documents."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from plazo.cli.terminal import IN_THE_WAY, NO, console, fail
from plazo.kernel.errors import Fault
from plazo.policy.check import Finding, check_text
from plazo.policy.diff import Change, diff_policies
from plazo.policy.document import Policy
from plazo.policy.load import PolicyInvalid, load_policy
from plazo.runtime.clock import SystemClock

app = typer.Typer(help="Check, compare and publish policy documents.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="answer in JSON, for scripts")]
_STYLE = {"error": "red", "warning": "yellow", "info": "dim"}


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="policy documents (YAML)")],
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="warnings count as faults too")] = False,
) -> None:
    """Check documents: every fault with its line, gaps, rules never reached. Exit code 1 if there is a fault."""
    reports: list[dict[str, Any]] = []
    is_good = True
    for file in files:
        text = _read(file)
        try:
            findings = check_text(text, source=str(file), now=SystemClock().now())
            rows = [_finding_row(finding) for finding in findings]
        except PolicyInvalid as invalid:
            rows = [_fault_row(fault) for fault in invalid.faults]
        bad = ("error", "warning") if strict else ("error",)
        is_good &= not any(row["severity"] in bad for row in rows)
        reports.append({"file": str(file), "findings": rows})
    if as_json:
        sys.stdout.write(json.dumps(reports, indent=2, ensure_ascii=False) + "\n")
    else:
        for report in reports:
            _print_report(report)
    if not is_good:
        raise typer.Exit(NO)


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "line": finding.line,
        "pointer": finding.pointer,
        "message": finding.message,
    }


def _fault_row(fault: Fault) -> dict[str, Any]:
    return {
        "severity": "error",
        "kind": "fault",
        "line": fault.line,
        "pointer": fault.pointer,
        "message": fault.message,
    }


def _print_report(report: dict[str, Any]) -> None:
    rows = report["findings"]
    for row in rows:
        where = f"{report['file']}:{row['line']}" if row["line"] else report["file"]
        style = _STYLE[row["severity"]]
        console.print(
            f"{escape(where)}: [{style}]{row['severity']}[/] {escape(row['pointer'])}: {escape(row['message'])}",
            soft_wrap=True,
        )
    count = {kind: sum(row["severity"] == kind for row in rows) for kind in _STYLE}
    console.print(
        f"{escape(report['file'])}: {count['error']} errors, {count['warning']} warnings, {count['info']} notes"
    )


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="the document as it is")],
    new: Annotated[Path, typer.Argument(help="the document as it shall be")],
    as_json: AsJson = False,
) -> None:
    """Compare two documents in the contract's words. Exit code 0 if they say the same, 1 if they differ."""
    changes = diff_policies(_load(old), _load(new))
    if as_json:
        sys.stdout.write(json.dumps([_change_row(one) for one in changes], indent=2, ensure_ascii=False) + "\n")
    else:
        for one in changes:
            console.print(escape(str(one)), soft_wrap=True)
        if not changes:
            console.print("the two documents say the same")
    if changes:
        raise typer.Exit(NO)


def _change_row(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "section": change.section,
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "clauses": list(change.clause),
    }


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="policy document (YAML)")],
    key: Annotated[str, typer.Option(help="API key of a manager or administrator", envvar="PLAZO_API_KEY")],
    address: Annotated[str, typer.Option(help="where Plazo answers", envvar="PLAZO_ADDRESS")] = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Publish a document to a desk. The same version twice is no error; with another content it is refused."""
    import httpx

    text = _read(file)
    try:
        response = httpx.post(
            f"{address.rstrip('/')}/v1/policies",
            json={"document": text},
            headers={"Authorization": f"Bearer {key}", "Prefer": "wait=10"},
            timeout=30,
        )
    except httpx.HTTPError as error:
        fail(f"nothing answers at {address}: {error}", code=IN_THE_WAY)
    answer = response.json()
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    elif response.is_success:
        console.print(f"published {answer['policy']} {answer['version']}, effective from {answer['effective_from']}")
    else:
        for fault in answer.get("errors", ()):
            console.print(f"{escape(str(file))}:{fault.get('line') or 1}: {escape(fault['message'])}", soft_wrap=True)
        fail(escape(answer.get("detail", response.text)), code=NO)
    if not response.is_success:
        raise typer.Exit(NO)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read {file}: {getattr(error, 'strerror', None) or error}", code=IN_THE_WAY)


def _load(file: Path) -> Policy:
    try:
        return load_policy(_read(file), source=str(file))
    except PolicyInvalid as invalid:
        _print_report({"file": str(file), "findings": [_fault_row(fault) for fault in invalid.faults]})
        raise typer.Exit(NO) from invalid
