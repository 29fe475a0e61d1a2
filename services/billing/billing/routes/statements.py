"""Statements of a contract: as JSON, as a table, as lines for whoever makes invoices, and as a page to print."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response

from billing.domain.statement_lines import StatementLine, write_csv
from billing.schemas.statements import ClosedMonthView, StatementView
from billing.usecases import statements
from billing.usecases.statement_page import content_security_policy
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["statements"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]
TreasurerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
_MONTH = r"^(19[7-9]\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])$"
MonthName = Annotated[str, Query(pattern=_MONTH, examples=["2026-05"])]
MonthPath = Annotated[str, Path(pattern=_MONTH, examples=["2026-05"])]
Locale = Annotated[
    Literal["es_ES", "es_PE", "es_CL", "es_VE", "en"] | None,
    Query(description="how amounts and dates are written; as the contract's by default"),
]


class CsvResponse(Response):
    """A table as a file."""

    media_type = "text/csv; charset=utf-8; header=present"


@router.get("/statements")
async def read_statement_of(contract: UUID, month: MonthName, call: AnyCall) -> StatementView:
    """Return what happened to a contract's accounts in a month: balances at both ends, grants, what expired, use."""
    return await statements.read_statement(
        call.uow(), contract_id=contract, month=month, customer_id=call.principal.customer_id
    )


@router.get("/statements/{contract_id}")
async def list_statements(
    contract_id: UUID, call: AnyCall, limit: Limit = 50, cursor: str | None = None
) -> Page[ClosedMonthView]:
    """List the closed months of a contract, newest first."""
    return await statements.list_statements(
        call.uow(), contract_id=contract_id, customer_id=call.principal.customer_id, cursor=cursor, limit=limit
    )


@router.get("/statements/{contract_id}/{month}")
async def read_statement(contract_id: UUID, month: MonthPath, call: AnyCall) -> StatementView:
    """Return a statement. A month that is over is closed by the first who asks, after the days its policy leaves."""
    return await statements.read_statement(
        call.uow(), contract_id=contract_id, month=month, customer_id=call.principal.customer_id
    )


@router.post("/statements/{contract_id}/{month}/close", status_code=201)
async def close_statement(contract_id: UUID, month: MonthPath, call: TreasurerCall) -> StatementView:
    """Close a month that is over, and those before it, for good. What comes later lands in the next, with its month."""
    uow = call.uow(status=201)
    view = await statements.close_statement(uow, contract_id=contract_id, month=month)
    await call.settle(*uow.announced_about)
    return view


@router.get("/statements/{contract_id}/{month}/page", response_class=HTMLResponse)
async def print_statement(contract_id: UUID, month: MonthPath, call: AnyCall, locale: Locale = None) -> HTMLResponse:
    """Return a statement as a page to read and print, with the burn-down of each account drawn."""
    page = await statements.print_statement(
        call.uow(), contract_id=contract_id, month=month, customer_id=call.principal.customer_id, locale=locale
    )
    return HTMLResponse(
        page,
        headers={"Content-Security-Policy": content_security_policy(), "X-Content-Type-Options": "nosniff"},
    )


@router.get("/statements/{contract_id}/{month}/table.csv", response_class=CsvResponse)
async def download_statement(contract_id: UUID, month: MonthPath, call: AnyCall, locale: Locale = None) -> CsvResponse:
    """Return a statement as a table: its lines, between what each account opened and closed with."""
    lines = await statements.list_lines(
        call.uow(),
        contract_id=contract_id,
        month=month,
        customer_id=call.principal.customer_id,
        locale=locale,
        with_balances=True,
    )
    return _file(lines, f"statement-{month}.csv")


@router.get("/statements/{contract_id}/{month}/lines.csv", response_class=CsvResponse)
async def download_lines(contract_id: UUID, month: MonthPath, call: AnyCall, locale: Locale = None) -> CsvResponse:
    """Return the lines of a statement for a system that makes invoices: stable columns, no taxes."""
    lines = await statements.list_lines(
        call.uow(), contract_id=contract_id, month=month, customer_id=call.principal.customer_id, locale=locale
    )
    return _file(lines, f"lines-{month}.csv")


@router.get("/statements/{contract_id}/{month}/lines.json")
async def read_lines(contract_id: UUID, month: MonthPath, call: AnyCall, locale: Locale = None) -> Page[StatementLine]:
    """Return the lines of a statement, all of them, for a system that makes invoices: stable fields, no taxes."""
    lines = await statements.list_lines(
        call.uow(), contract_id=contract_id, month=month, customer_id=call.principal.customer_id, locale=locale
    )
    return Page(items=list(lines))


def _file(lines: tuple[StatementLine, ...], name: str) -> CsvResponse:
    return CsvResponse(write_csv(lines), headers={"Content-Disposition": f'attachment; filename="{name}"'})
