"""Accounts, grants and standings."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.accounts import (
    AccountDetailView,
    AccountView,
    EntryView,
    GrantCreate,
    GrantView,
    StandingCreate,
    StandingView,
)
from billing.usecases import accounts, contracts
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, Role
from plazo.runtime.inputs import Instant
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["accounts"])

TreasurerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/accounts")
async def list_accounts(
    call: AnyCall, contract: UUID | None = None, limit: Limit = 50, cursor: str | None = None
) -> Page[AccountView]:
    """List accounts; a requester sees its own customer's. Asked for one contract, they are brought up to date."""
    return await accounts.list_accounts(
        call.uow(), contract_id=contract, customer_id=call.principal.customer_id, cursor=cursor, limit=limit
    )


@router.get("/accounts/{account_id}")
async def read_account(
    account_id: UUID,
    call: AnyCall,
    at: Annotated[Instant | None, Query()] = None,
    by: Literal["effective", "recorded"] = "effective",
) -> AccountDetailView:
    """Return an account and its grants; with `at` its balance as it was then, or (`by=recorded`) was known then."""
    return await accounts.read_account(
        call.uow(), account_id=account_id, customer_id=call.principal.customer_id, at=at, by=by
    )


@router.get("/accounts/{account_id}/entries")
async def list_entries(
    account_id: UUID, call: AnyCall, limit: Limit = 50, cursor: str | None = None
) -> Page[EntryView]:
    """List the ledger entries of an account in the order in which they were written."""
    return await accounts.list_entries(
        call.uow(), account_id=account_id, customer_id=call.principal.customer_id, cursor=cursor, limit=limit
    )


@router.post("/accounts/{account_id}/grants", status_code=201)
async def grant(account_id: UUID, body: GrantCreate, call: TreasurerCall) -> GrantView:
    """Top up a prepaid account. Tickets that waited for its balance are let in, oldest first."""
    uow = call.uow(status=201)
    view = await accounts.grant(uow, account_id=account_id, body=body)
    await call.settle(*uow.announced_about)
    return view


@router.post("/standings", status_code=201)
async def change_standing(body: StandingCreate, call: TreasurerCall) -> StandingView:
    """Set a contract's standing. A good one lets in the tickets that were held for it."""
    uow = call.uow(status=201)
    view = await contracts.change_standing(uow, body=body)
    await call.settle(*uow.announced_about)
    return view
