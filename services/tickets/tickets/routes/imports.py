"""Bringing the tickets of another desk here."""

import asyncio
import hashlib
import io
import tempfile
from datetime import datetime
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request

from plazo.kernel.errors import Kind, NotFound, PlazoError
from plazo.runtime.call import Call, allow
from plazo.runtime.database import OUTAGE
from plazo.runtime.identity import Role
from plazo.runtime.inputs import Name
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from plazo.runtime.service import Runtime
from tickets.repository import imports as repository
from tickets.routes.callers import by_of
from tickets.schemas.intake import ImportView, RefusedLineView
from tickets.usecases import importing

log = structlog.get_logger(__name__)

UPLOAD_PATH = "/v1/imports"
LARGEST_UPLOAD = 50_000_000
_IN_MEMORY = 1_000_000
_SWEEP_SECONDS = 1.0
_FORMATS = {"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}

router = APIRouter(prefix="/v1/imports", tags=["imports"])

ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
UploadCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, reads_body=False)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


class WrongFormat(PlazoError):
    """The body is neither CSV nor JSON lines."""

    kind = Kind.INVALID
    code = "wrong-media-type"


@router.post("", status_code=201)
async def start_import(
    request: Request, call: UploadCall, source: Annotated[Name, Query()], contract_id: UUID | None = None
) -> ImportView:
    """Take in a file of tickets, as `text/csv` with a row of column names, or `application/x-ndjson`.

    `source` names the desk it comes from: a reference of that source is one ticket, however often it is imported.
    `contract_id` is for lines that name none.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in _FORMATS:
        raise WrongFormat(f"expected the Content-Type {' or '.join(_FORMATS)}")
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        async for chunk in request.stream():
            digest.update(chunk)
            spool.write(chunk)
        spool.seek(0)
        text = io.TextIOWrapper(spool, encoding="utf-8-sig", errors="replace", newline="")
        call = call.of_body(digest.hexdigest() + f"?{request.url.query}")
        return await importing.start_import(
            call.uow(status=201),
            file=text,
            format_=_FORMATS[declared],
            source=source,
            contract_id=contract_id,
            actor=by_of(call).actor,
        )


@router.get("")
async def list_imports(call: ManagerCall, limit: Limit = 50, cursor: str | None = None) -> Page[ImportView]:
    """List imports, oldest first."""
    async with call.uow().read() as connection:
        jobs = await repository.list_jobs(connection, after=position(cursor, datetime, UUID), limit=limit + 1)
        counts = await repository.count_lines(connection, [job.import_id for job in jobs])
    views = [importing.import_view(job, counts[job.import_id]) for job in jobs]
    return page_of(views, limit=limit, keys=lambda one: (one.started_at, one.import_id))


@router.get("/{import_id}")
async def read_import(import_id: UUID, call: ManagerCall) -> ImportView:
    """Say how far an import is."""
    async with call.uow().read() as connection:
        job = await repository.find_job(connection, import_id)
        counts = await repository.count_lines(connection, [import_id])
    if job is None:
        raise NotFound(f"there is no import {import_id}")
    return importing.import_view(job, counts[import_id])


@router.get("/{import_id}/refusals")
async def list_refusals(
    import_id: UUID, call: ManagerCall, limit: Limit = 100, cursor: str | None = None
) -> Page[RefusedLineView]:
    """List every line that did not become a ticket, with all that is wrong with it."""
    after = position(cursor, int)
    async with call.uow().read() as connection:
        rows = await repository.list_lines(
            connection, import_id, state="refused", after=after[0] if after else None, limit=limit + 1
        )
    views = [
        RefusedLineView(line=row["line"], reference=row["reference"], faults=row["faults"], body=row["body"])
        for row in rows
    ]
    return page_of(views, limit=limit, keys=lambda one: (one.line,))


async def import_by_and_by(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Import what waits, whoever took it in, until `stopping` is set."""
    while not stopping.is_set():
        try:
            if await importing.import_some(runtime):
                continue
        except OUTAGE as error:
            log.info("import_waits", error=str(error) or type(error).__name__)
        await importing.BELL.wait(at_most=_SWEEP_SECONDS)
