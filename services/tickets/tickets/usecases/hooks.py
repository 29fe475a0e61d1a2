"""Hooks: where other systems post, how their posts are read, and the secrets they sign with."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any
from uuid import UUID

from plazo.kernel.errors import NotFound
from plazo.kernel.ids import new_id
from plazo.policy.read_yaml import read_yaml
from plazo.runtime.signatures import new_secret
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.secrecy import Cipher
from tickets.repository import hooks, parties
from tickets.repository.hooks import Hook
from tickets.schemas.intake import (
    HookChange,
    HookCreate,
    HookSecretView,
    HookView,
    MappingInput,
    PresetView,
    RotationCreate,
)

PRESETS = ("alertmanager", "zammad", "glpi", "jira_service_management")


class NoSuchHook(NotFound):
    """There is no such hook in this desk."""

    code = "no-such-hook"


@lru_cache(maxsize=len(PRESETS))
def preset(kind: str) -> PresetView:
    """Return the mapping that comes with Plazo for a kind of system."""
    text = (resources.files("tickets") / "mappings" / f"{kind}.yaml").read_text(encoding="utf-8")
    read: dict[str, Any] = read_yaml(text).data
    mapping = MappingInput.model_validate(read["mapping"])
    return PresetView(kind=kind, scheme=read["scheme"], mapping=mapping.model_dump(mode="json"))


async def create_hook(uow: UnitOfWork, *, body: HookCreate, cipher: Cipher) -> HookSecretView:
    """Make a hook; the answer alone has its secret. :raises NotFound: for an unknown contract"""
    brought = None if body.kind == "custom" else preset(body.kind)
    mapping = body.mapping.model_dump(mode="json") if body.mapping else (brought.mapping if brought else {})
    hook_id, secret = new_id(), new_secret()
    async with uow.begin() as tx:
        await _require_contract(tx, body.contract_id)
        hook = Hook(
            hook_id=hook_id,
            desk_id=tx.desk_id,
            name=body.name,
            kind=body.kind,
            scheme=body.scheme or (brought.scheme if brought else "standard"),
            mapping=mapping,
            contract_id=body.contract_id,
            tolerance_seconds=body.tolerance_seconds,
            secrets=[_sealed(cipher, tx.desk_id, hook_id, secret)],
            created_at=tx.now,
        )
        await hooks.insert_hook(tx, hook)
        view = hook_view(hook)
        tx.answer = view.model_dump(mode="json") | {"secret": "shown once, to the first request"}
    return HookSecretView(**view.model_dump(), secret=secret)


async def change_hook(uow: UnitOfWork, *, hook_id: UUID, body: HookChange) -> HookView:
    """Change what is named. :raises NoSuchHook: :raises NotFound: for an unknown contract"""
    async with uow.begin() as tx:
        hook = await _held(tx, hook_id)
        await _require_contract(tx, body.contract_id)
        named = body.model_fields_set
        changed = replace(
            hook,
            name=body.name or hook.name,
            mapping=body.mapping.model_dump(mode="json") if body.mapping else hook.mapping,
            contract_id=body.contract_id if "contract_id" in named else hook.contract_id,
            tolerance_seconds=body.tolerance_seconds or hook.tolerance_seconds,
        )
        if body.disabled is not None:
            changed = replace(changed, disabled_at=(hook.disabled_at or tx.now) if body.disabled else None)
        await hooks.update_hook(tx, changed)
    return hook_view(changed)


async def rotate_secret(
    uow: UnitOfWork, *, hook_id: UUID, body: RotationCreate, cipher: Cipher, clock_now: datetime
) -> HookSecretView:
    """Give a hook a new secret; the one before counts for a while more, by the machine's clock.

    :raises NoSuchHook:
    """
    secret = new_secret()
    async with uow.begin() as tx:
        hook = await _held(tx, hook_id)
        until = clock_now + timedelta(hours=body.overlap_hours)
        previous = [one | {"until": until.isoformat()} for one in hook.secrets[:1]] if body.overlap_hours else []
        changed = replace(hook, secrets=[_sealed(cipher, tx.desk_id, hook_id, secret), *previous])
        await hooks.update_hook(tx, changed)
        view = hook_view(changed)
        tx.answer = view.model_dump(mode="json") | {"secret": "shown once, to the first request"}
    return HookSecretView(**view.model_dump(), secret=secret)


def valid_secrets(hook: Hook, *, cipher: Cipher, clock_now: datetime) -> list[str]:
    """Return the secrets that count at the machine's present, the newest first."""
    return [
        cipher.unseal(
            key_id=one["key_id"],
            nonce=base64.b64decode(one["nonce"]),
            ciphertext=base64.b64decode(one["ciphertext"]),
            desk_id=hook.desk_id,
            ticket_id=hook.hook_id,
            secret_id=hook.hook_id,
        )
        for one in hook.secrets
        if "until" not in one or datetime.fromisoformat(one["until"]) > clock_now
    ]


def _sealed(cipher: Cipher, desk_id: UUID, hook_id: UUID, secret: str) -> dict[str, Any]:
    sealed = cipher.seal(secret, desk_id=desk_id, ticket_id=hook_id, secret_id=hook_id)
    return {
        "key_id": sealed.key_id,
        "nonce": base64.b64encode(sealed.nonce).decode(),
        "ciphertext": base64.b64encode(sealed.ciphertext).decode(),
    }


async def _held(tx: Transaction, hook_id: UUID) -> Hook:
    hook = await hooks.find_hook(tx.connection, hook_id, lock=True)
    if hook is None:
        raise NoSuchHook(f"there is no hook {hook_id}")
    return hook


async def _require_contract(tx: Transaction, contract_id: UUID | None) -> None:
    if contract_id is not None and await parties.find_contract(tx.connection, contract_id) is None:
        raise NotFound(f"there is no contract {contract_id}")


def hook_view(hook: Hook) -> HookView:
    """Return a hook as it is shown: without its secrets."""
    older = hook.secrets[1:2]
    return HookView(
        hook_id=hook.hook_id,
        name=hook.name,
        kind=hook.kind,
        scheme=hook.scheme,
        mapping=hook.mapping,
        contract_id=hook.contract_id,
        tolerance_seconds=hook.tolerance_seconds,
        path=f"/v1/intake/webhooks/{hook.hook_id}",
        disabled_at=hook.disabled_at,
        previous_secret_until=datetime.fromisoformat(older[0]["until"]) if older else None,
        created_at=hook.created_at,
    )
