"""Desks and API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query

from plazo.kernel.ids import derived_id, new_id
from plazo.runtime.call import Call, OperatorCall, allow, allow_operator
from plazo.runtime.identity import EVERYBODY, Role, derived_key, new_key
from plazo.runtime.pagination import MAX_LIMIT, Page, position
from plazo.runtime.service import Runtime
from tickets.schemas.desks import (
    DeskCreate,
    DeskKeyCreate,
    DeskRevocation,
    DeskRevoked,
    DeskSummary,
    DeskView,
    KeyCreate,
    KeyCreated,
    KeyRevoked,
    KeyRotate,
    KeyRotated,
    KeyView,
    NewDesk,
)
from tickets.usecases import desks

router = APIRouter(prefix="/v1", tags=["desks"])

AdministratorCall = Annotated[Call, allow(Role.ADMINISTRATOR)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Operator = Annotated[OperatorCall, allow_operator()]

_SETTLE_SECONDS = 3.0  # a key should work, or no longer work, everywhere when the answer arrives


@router.post("/desks", status_code=201)
async def create_desk(
    body: DeskCreate,
    operator: Operator,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> NewDesk:
    """Create a desk and its first administrator key, with the operator key of the installation.

    Under an Idempotency-Key the desk and its key follow from that key, so that a repetition is answered alike, and
    one with another body is refused.
    """
    runtime = operator.runtime
    if idempotency_key is None:
        desk_id, key = new_id(), new_key()
    else:
        desk_id = derived_id("desk", idempotency_key)
        key = derived_key(from_secret=runtime.settings.operator_key.get_secret_value(), purpose=f"desk {desk_id}")
    created = await desks.create_desk(operator.uow(desk_id), body=body, key=key)
    await runtime.settlement.wait(desk_id=desk_id, seconds=_SETTLE_SECONDS)
    return created


@router.get("/desk")
async def read_own_desk(call: AnyCall) -> DeskView:
    """Return the desk that the caller's key belongs to."""
    return await desks.read_desk(call.uow(), desk_id=call.desk_id)


@router.get("/desks/{desk_id}")
async def read_desk(desk_id: UUID, call: AnyCall) -> DeskView:
    """Return the caller's desk."""
    return await desks.read_desk(call.uow(), desk_id=desk_id)


@router.post("/keys", status_code=201)
async def issue_key(body: KeyCreate, call: AdministratorCall) -> KeyCreated:
    """Issue an API key; its secret is shown in this answer only.

    It may no more than the caller's key, and no longer; without `scopes` or `expires_at` it has the caller's.
    """
    created = await desks.issue_key(
        call.uow(status=201), body=body, issuer=call.principal, clock_now=call.runtime.clock.now()
    )
    await call.settle(call.desk_id)
    return created


@router.get("/keys")
async def list_keys(call: AdministratorCall) -> list[KeyView]:
    """List the desk's keys, without their secrets, and when each was last used at any of the services."""
    uses = await call.runtime.key_uses.ask(call.desk_id)
    return await desks.list_keys(call.uow(), clock_now=call.runtime.clock.now(), uses=uses)


@router.post("/keys/{key_id}/rotate", status_code=201)
async def rotate_key(key_id: str, body: KeyRotate, call: AdministratorCall) -> KeyRotated:
    """Give a key a new secret, shown in this answer only; the one before stays valid for the overlap.

    The key may no more than the caller's, and no longer: whoever has the secret has the key.
    """
    rotated = await desks.rotate_key(
        call.uow(status=201),
        key_id=key_id,
        body=body,
        caller=call.principal,
        clock_now=call.runtime.clock.now(),
    )
    await _reach_everywhere(call.runtime, call.desk_id)
    return rotated


@router.post("/keys/{key_id}/revoke")
async def revoke_key(key_id: str, call: AdministratorCall) -> KeyRevoked:
    """Revoke a key. It is invalid here at once, everywhere when `everywhere` says so; streams it opened end.

    It has no scopes that the caller's key has not.
    """
    await desks.revoke_key(call.uow(), key_id=key_id, caller=call.principal)
    return KeyRevoked(key_id=key_id, everywhere=await _reach_everywhere(call.runtime, call.desk_id))


@router.get("/desks")
async def list_desks(
    operator: Operator, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50, cursor: str | None = None
) -> Page[DeskSummary]:
    """List the desks of this installation, with the operator key."""
    [after] = position(cursor, UUID) or (None,)
    return await desks.list_desks(operator.runtime.system_work(), after=after, limit=limit)


@router.post("/desks/{desk_id}/keys", status_code=201)
async def issue_administrator_key(desk_id: UUID, body: DeskKeyCreate, operator: Operator) -> KeyCreated:
    """Issue an administrator key of a desk whose own are lost, with the operator key."""
    created = await desks.issue_administrator_key(operator.uow(desk_id), label=body.label)
    await _reach_everywhere(operator.runtime, desk_id)
    return created


@router.post("/desks/{desk_id}/revocations")
async def revoke_keys_of_desk(desk_id: UUID, body: DeskRevocation, operator: Operator) -> DeskRevoked:
    """Revoke a key of a desk, or every one, with the operator key."""
    revoked = await desks.revoke_keys(operator.uow(desk_id), key_id=body.key_id)
    return DeskRevoked(key_ids=revoked, everywhere=await _reach_everywhere(operator.runtime, desk_id))


async def _reach_everywhere(runtime: Runtime, desk_id: UUID) -> bool:
    """Wait, a moment at most, until every service has what became of a desk's keys; return whether all were seen to."""
    return await runtime.settlement.wait(desk_id=desk_id, about=desk_id, seconds=_SETTLE_SECONDS)
