"""Desks and API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header

from plazo.kernel.ids import derived_id, new_id
from plazo.runtime.call import Call, allow, allow_operator
from plazo.runtime.identity import EVERYBODY, Role, derived_key, new_key
from plazo.runtime.service import Runtime
from tickets.schemas.desks import DeskCreate, DeskView, KeyCreate, KeyCreated, KeyView, NewDesk
from tickets.usecases import desks

router = APIRouter(prefix="/v1", tags=["desks"])

AdministratorCall = Annotated[Call, allow(Role.ADMINISTRATOR)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]

_SETTLE_SECONDS = 3.0  # the new key should work everywhere when the answer arrives


@router.post("/desks", status_code=201)
async def create_desk(
    body: DeskCreate,
    runtime: Annotated[Runtime, allow_operator()],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> NewDesk:
    """Create a desk and its first administrator key, with the operator key of the installation.

    Under an Idempotency-Key the desk and its key follow from that key, so that a repetition is answered alike.
    """
    if idempotency_key is None:
        desk_id, key = new_id(), new_key()
    else:
        desk_id = derived_id("desk", idempotency_key)
        key = derived_key(from_secret=runtime.settings.operator_key.get_secret_value(), purpose=f"desk {desk_id}")
    created = await desks.create_desk(
        runtime.unit_of_work(desk_id=desk_id, now=runtime.clock.now()), body=body, key=key
    )
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
    """Issue an API key; its secret is shown in this answer only."""
    created = await desks.issue_key(call.uow(status=201), body=body)
    await call.settle(call.desk_id)
    return created


@router.get("/keys")
async def list_keys(call: AdministratorCall) -> list[KeyView]:
    """List the desk's keys, without their secrets."""
    return await desks.list_keys(call.uow())


@router.post("/keys/{key_id}/revoke")
async def revoke_key(key_id: str, call: AdministratorCall) -> dict[str, str]:
    """Revoke a key."""
    await desks.revoke_key(call.uow(), key_id=key_id)
    await call.settle(call.desk_id)
    return {"key_id": key_id, "state": "revoked"}
