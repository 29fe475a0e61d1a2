"""Hooks: where other systems post."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.repository import hooks as repository
from tickets.routes.callers import StaffCall
from tickets.schemas.intake import HookChange, HookCreate, HookSecretView, HookView, PresetView, RotationCreate
from tickets.usecases import hooks
from tickets.usecases.secrets import cipher_of

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/presets")
async def list_presets(call: StaffCall) -> list[PresetView]:
    """List the mappings that come with Plazo: to use, or to copy from."""
    _ = call
    return [hooks.preset(kind) for kind in hooks.PRESETS]


@router.post("", status_code=201)
async def create_hook(body: HookCreate, call: ManagerCall) -> HookSecretView:
    """Make a hook: the other system posts to `path`, signed with `secret`, which is shown this once."""
    return await hooks.create_hook(call.uow(status=201), body=body, cipher=cipher_of(call.runtime))


@router.get("")
async def list_hooks(call: StaffCall, limit: Limit = 50, cursor: str | None = None) -> Page[HookView]:
    """List the hooks of this desk."""
    async with call.uow().read() as connection:
        found = await repository.list_hooks(connection, after=position(cursor, datetime, UUID), limit=limit + 1)
    return page_of(
        [hooks.hook_view(hook) for hook in found], limit=limit, keys=lambda one: (one.created_at, one.hook_id)
    )


@router.get("/{hook_id}")
async def read_hook(hook_id: UUID, call: StaffCall) -> HookView:
    """Return a hook, without its secret."""
    async with call.uow().read() as connection:
        hook = await repository.find_hook(connection, hook_id)
    if hook is None:
        raise hooks.NoSuchHook(f"there is no hook {hook_id}")
    return hooks.hook_view(hook)


@router.patch("/{hook_id}")
async def change_hook(hook_id: UUID, body: HookChange, call: ManagerCall) -> HookView:
    """Change a hook; a disabled one takes nothing."""
    return await hooks.change_hook(call.uow(), hook_id=hook_id, body=body)


@router.post("/{hook_id}/rotations", status_code=201)
async def rotate_secret(hook_id: UUID, body: RotationCreate, call: ManagerCall) -> HookSecretView:
    """Give a hook a new secret; the one before counts for a while more."""
    return await hooks.rotate_secret(
        call.uow(status=201),
        hook_id=hook_id,
        body=body,
        cipher=cipher_of(call.runtime),
        clock_now=call.runtime.clock.now(),
    )
