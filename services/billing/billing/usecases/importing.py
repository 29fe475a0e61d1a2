"""Importing work: each line a transaction of its own, known again by its reference, refused with its reasons.

The lines wait in the database until they are logged, so an import goes on after a crash where it was.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from pydantic import ValidationError

from billing.domain.work_lines import WorkLine, read_lines
from billing.repository import imports
from billing.schemas.timesheets import ImportCreate, ImportView, RefusalView
from billing.schemas.work import WorkCreate
from billing.usecases.work import charge_work
from plazo.kernel.errors import Fault, InvalidInput, NotFound, PlazoError
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from plazo.runtime.wake import Wake

log = structlog.get_logger(__name__)

#: Rung when an import has begun.
BELL = Wake()

MOST_LINES = 10_000


async def begin_import(uow: UnitOfWork, *, body: ImportCreate, imported_by: str) -> ImportView:
    """Take an import in; its lines are logged by and by, each in a transaction of its own.

    :raises InvalidInput: if it has no line, or too many
    """
    # Ten thousand lines take a while; other requests go on meanwhile, and what is too much is not read to its end.
    lines = await asyncio.to_thread(lambda: list(islice(read_lines(body.content, body.format), MOST_LINES + 1)))
    if not 1 <= len(lines) <= MOST_LINES:
        message = f"expected 1 to {MOST_LINES} lines of work, got {'more' if lines else 'none'}"
        raise InvalidInput("this cannot be imported", faults=[Fault("/content", message)])
    async with uow.begin() as tx:
        import_id = await imports.insert_import(tx, lines, imported_by=imported_by)
        row = await imports.find_import(tx.connection, import_id)
        assert row is not None, "it was written in this transaction"
        view = _view(row)
        tx.answer = view.model_dump(mode="json")
    BELL.set()
    return view


async def log_waiting(runtime: Runtime) -> bool:
    """Log the lines that wait of one import, of any desk; false if there are none for this process."""
    found = await imports.next_waiting(runtime.database.system)
    if found is None:
        return False

    def open_desk() -> UnitOfWork:
        return runtime.unit_of_work(desk_id=found["desk_id"], now=found["clock_at"] or runtime.clock.now())

    return await log_lines(open_desk, import_id=found["import_id"]) > 0


async def log_lines(new_uow: Callable[[], UnitOfWork], *, import_id: UUID) -> int:
    """Log the lines of an import that wait, one after the other; return how many. The import shows how far it is."""
    count = 0
    while await _log_next(new_uow, import_id):
        count += 1
    return count


async def read_import(uow: UnitOfWork, *, import_id: UUID) -> ImportView:
    """Return an import as far as it is. :raises NotFound: if there is none"""
    async with uow.read() as connection:
        row = await imports.find_import(connection, import_id)
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return _view(row)


async def _log_next(new_uow: Callable[[], UnitOfWork], import_id: UUID) -> bool:
    """Log the next line that waits, or say what is wrong with it; false if there is none."""
    line: WorkLine | None = None
    try:
        async with new_uow().begin() as tx:
            line = await imports.take_line(tx, import_id)
            if line is not None:
                await _log_line(tx, line, import_id=import_id)
    except OUTAGE:
        raise
    except asyncpg.UniqueViolationError:  # another import was faster with this reference: it is known now
        return True
    except Exception as error:  # whatever it is, it is wrong with this line and must not stop the others
        assert line is not None, "taking a line fails by outage alone"
        if not isinstance(error, PlazoError | ValidationError):
            log.exception("import_line_failed", import_id=str(import_id), line=line.number)
        async with new_uow().begin() as tx:
            if await imports.take_line(tx, import_id, number=line.number) is not None:
                await imports.count_line(tx, import_id, refusal=_refusal(line, error))
    return line is not None


async def _log_line(tx: Transaction, line: WorkLine, *, import_id: UUID) -> None:
    reference = line.reference
    if line.fault is not None or reference is None:
        message = line.fault or "expected a text of its own, by which a repetition is known"
        pointer = "" if line.fault else "/reference"
        raise InvalidInput("the line cannot be read", faults=[Fault(pointer, message)])
    if await imports.is_reference_known(tx.connection, reference):
        await imports.count_line(tx, import_id, known=1)
        return
    name = str(line.values.get("ticket", ""))
    ticket_id = await imports.find_ticket_named(tx.connection, name)
    if ticket_id is None:
        raise InvalidInput("the line names no ticket", faults=[Fault("/ticket", f"there is no ticket {name!r}")])
    given = {key: value for key, value in line.values.items() if key not in {"reference", "ticket"}}
    body = WorkCreate.model_validate(given | {"ticket_id": ticket_id})
    job = await imports.find_import(tx.connection, import_id)
    assert job is not None, "it has a line"
    await charge_work(tx, body, logged_by=job["imported_by"], reference=reference)
    await imports.count_line(tx, import_id, logged=1)


def _refusal(line: WorkLine, error: Exception) -> dict[str, Any]:
    code = "invalid-input"
    if isinstance(error, ValidationError):
        faults = [f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
    elif isinstance(error, PlazoError):
        faults = [f"{fault.pointer}: {fault.message}" for fault in error.faults] or [str(error)]
        code = error.code
    else:
        faults = [f"the line cannot be logged: {type(error).__name__}"]
    return RefusalView(line=line.number, reference=line.reference, code=code, faults=faults).model_dump()


def _view(row: dict[str, Any]) -> ImportView:
    return ImportView(**row, refused=len(row["refusals"]), state="running" if row["ended_at"] is None else "done")
