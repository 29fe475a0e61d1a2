"""A file of another desk's tickets, line by line: CSV or JSON lines."""

import csv
from collections.abc import Iterator
from typing import Any, TextIO

from plazo.kernel.foreign_json import read_foreign_json
from tickets.domain.email import clean_text

Faults = list[dict[str, Any]]
_LONGEST_LINE = 2_000_000  # characters


def read_lines(file: TextIO, format_: str) -> Iterator[tuple[int, dict[str, Any] | None, Faults]]:
    """Yield each ticket of a file: its line from 1, its content, and what keeps it from being read."""
    yield from _read_csv(file) if format_ == "csv" else _read_json_lines(file)


def _read_json_lines(file: TextIO) -> Iterator[tuple[int, dict[str, Any] | None, Faults]]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        if len(text) > _LONGEST_LINE:
            yield number, None, [fault("", f"expected at most {_LONGEST_LINE:,} characters in a line")]
            continue
        try:
            row = read_foreign_json(text)
        except ValueError:
            row = None
        if isinstance(row, dict):
            yield number, row, []
        else:
            yield number, None, [fault("", "expected a JSON object in the line")]


def _read_csv(file: TextIO) -> Iterator[tuple[int, dict[str, Any] | None, Faults]]:
    csv.field_size_limit(_LONGEST_LINE)
    reader = csv.reader(file, strict=True)
    columns: list[str] | None = None
    while True:
        begins_at = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield begins_at, None, [fault("", f"the row cannot be read: {error}")]
            continue
        if not row:
            continue
        if columns is None:
            columns = [column.strip().removeprefix("\ufeff") for column in row]
        elif len(row) != len(columns):
            yield begins_at, None, [fault("", f"expected {len(columns)} fields, got {len(row)}")]
        else:
            yield begins_at, _of_columns(dict(zip(columns, row, strict=True))), []


def _of_columns(row: dict[str, str]) -> dict[str, Any]:
    """Return a row as a JSON line would say it: an empty field is absent, `facts.NAME` a fact, `replies` is JSON."""
    body: dict[str, Any] = {}
    facts: dict[str, bool | int | str] = {}
    for column, text in row.items():
        value = clean_text(text).strip()
        if not value:
            continue
        if column.startswith("facts."):
            facts[clean_text(column.removeprefix("facts."))] = _plain(value)
        elif column == "replies":
            try:
                body[column] = read_foreign_json(value)
            except ValueError:
                body[column] = value
        else:
            body[clean_text(column)] = value
    return body | ({"facts": facts} if facts else {})


def _plain(value: str) -> bool | int | str:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 12 else value


def fault(pointer: str, message: str) -> dict[str, Any]:
    """Return one thing that is wrong with a line, by where it is."""
    return {"pointer": pointer, "message": message}
