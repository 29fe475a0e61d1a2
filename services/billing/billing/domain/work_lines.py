"""Reading work that somebody else wrote down: JSON lines or CSV, one piece of work a line."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from plazo.kernel.foreign_json import read_foreign_json, without_controls

#: The columns of a CSV; any other is a fact of the work.
COLUMNS = ("reference", "ticket", "started_at", "minutes", "description", "quote_id")
_LONGEST_NUMBER = 12  # digits


@dataclass(frozen=True, slots=True)
class WorkLine:
    """A line as it stands: `values` by the names of :data:`COLUMNS` and `facts`; `fault` says why it cannot be read."""

    number: int
    values: dict[str, Any]
    fault: str | None = None

    @property
    def reference(self) -> str | None:
        """The line's own reference, where it has one."""
        reference = self.values.get("reference")
        return reference if isinstance(reference, str) and reference else None


def read_lines(content: str, form: Literal["csv", "jsonl"]) -> Iterator[WorkLine]:
    """Read the lines of an import, numbered as an editor does. Empty lines are nothing."""
    return _read_csv(content) if form == "csv" else _read_json(content)


def _read_json(content: str) -> Iterator[WorkLine]:
    for number, text in enumerate(content.split("\n"), start=1):
        if not text.strip():
            continue
        try:
            values = read_foreign_json(text)
        except ValueError:
            yield WorkLine(number, {}, "expected a JSON object")
            continue
        if isinstance(values, dict):
            yield WorkLine(number, values)
        else:
            yield WorkLine(number, {}, "expected a JSON object")


def _read_csv(content: str) -> Iterator[WorkLine]:
    rows = csv.reader(io.StringIO(without_controls(content.removeprefix("\ufeff")), newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header):
                yield WorkLine(rows.line_num, {}, f"expected {len(header)} values as in the header, got {len(row)}")
                continue
            given = {name: value.strip() for name, value in zip(header, row, strict=True) if value.strip()}
            values: dict[str, Any] = {name: value for name, value in given.items() if name in COLUMNS}
            if (minutes := str(values.get("minutes", ""))).isdecimal() and len(minutes) <= _LONGEST_NUMBER:
                values["minutes"] = int(minutes)
            yield WorkLine(
                rows.line_num, values | {"facts": {k: _fact(v) for k, v in given.items() if k not in COLUMNS}}
            )
    except csv.Error as error:
        yield WorkLine(rows.line_num, {}, f"not CSV from here on: {error}")


def _fact(text: str) -> bool | int | str:
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if len(text) <= _LONGEST_NUMBER and text.removeprefix("-").isdecimal() else text
