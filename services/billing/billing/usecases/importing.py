"""Importing work: each line a transaction of its own, known again by its reference, refused with its reasons."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from billing.domain.work_lines import WorkLine, read_lines
from billing.repository import timesheets
from billing.schemas.timesheets import ImportCreate, ImportView, RefusalView
from billing.schemas.work import WorkCreate
from billing.usecases.work import charge_work
from plazo.kernel.errors import Fault, InvalidInput, NotFound, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork

MOST_LINES = 10_000


async def begin_import(
    uow: UnitOfWork, *, body: ImportCreate, imported_by: str
) -> tuple[ImportView, Sequence[WorkLine]]:
    """Take an import in; its lines are logged by :func:`log_lines`.

    :raises InvalidInput: if it has no line, or too many
    """
    lines = list(read_lines(body.content, body.format))
    if not 1 <= len(lines) <= MOST_LINES:
        message = f"expected 1 to {MOST_LINES} lines of work, got {len(lines)}"
        raise InvalidInput("this cannot be imported", faults=[Fault("/content", message)])
    async with uow.begin() as tx:
        import_id = await timesheets.begin_import(tx, total=len(lines), imported_by=imported_by)
        row = await timesheets.find_import(tx.connection, import_id)
        assert row is not None, "it was written in this transaction"
        view = _view(row)
        tx.answer = view.model_dump(mode="json")
    return view, lines


async def log_lines(
    new_uow: Callable[[], UnitOfWork], *, import_id: UUID, lines: Sequence[WorkLine], imported_by: str
) -> None:
    """Log the lines of an import, one after the other; the import shows how far it is."""
    for line in lines:
        try:
            await _log_line(new_uow(), line, import_id=import_id, imported_by=imported_by)
        except (PlazoError, ValidationError) as error:
            async with new_uow().begin() as tx:
                await timesheets.count_line(tx, import_id, refusal=_refusal(line, error))
        except asyncpg.UniqueViolationError:  # another import was faster with this reference
            async with new_uow().begin() as tx:
                await timesheets.count_line(tx, import_id, known=1)


async def read_import(uow: UnitOfWork, *, import_id: UUID) -> ImportView:
    """Return an import as far as it is. :raises NotFound: if there is none"""
    async with uow.read() as connection:
        row = await timesheets.find_import(connection, import_id)
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return _view(row)


async def _log_line(uow: UnitOfWork, line: WorkLine, *, import_id: UUID, imported_by: str) -> None:
    reference = line.reference
    if line.fault is not None or reference is None:
        message = line.fault or "expected a text of its own, by which a repetition is known"
        pointer = "" if line.fault else "/reference"
        raise InvalidInput("the line cannot be read", faults=[Fault(pointer, message)])
    async with uow.begin() as tx:
        if await timesheets.is_reference_known(tx.connection, reference):
            await timesheets.count_line(tx, import_id, known=1)
            return
        name = str(line.values.get("ticket", ""))
        ticket_id = await timesheets.find_ticket_named(tx.connection, name)
        if ticket_id is None:
            raise InvalidInput("the line names no ticket", faults=[Fault("/ticket", f"there is no ticket {name!r}")])
        given = {key: value for key, value in line.values.items() if key not in {"reference", "ticket"}}
        body = WorkCreate.model_validate(given | {"ticket_id": ticket_id})
        await charge_work(tx, body, logged_by=imported_by, reference=reference)
        await timesheets.count_line(tx, import_id, logged=1)


def _refusal(line: WorkLine, error: PlazoError | ValidationError) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        faults = [f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        code = "invalid-input"
    else:
        faults = [f"{fault.pointer}: {fault.message}" for fault in error.faults] or [str(error)]
        code = error.code
    return RefusalView(line=line.number, reference=line.reference, code=code, faults=faults).model_dump()


def _view(row: dict[str, Any]) -> ImportView:
    return ImportView(**row, refused=len(row["refusals"]))
