"""Which secrets of a hook count, and when."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tickets.domain.secrecy import Cipher, NoKey
from tickets.repository.hooks import Hook
from tickets.usecases.hooks import valid_secrets

CIPHER = Cipher({"k": bytes(32)})
DESK, HOOK = UUID(int=1), UUID(int=2)
UNTIL = datetime(2026, 5, 4, 13, tzinfo=UTC)


def sealed(secret: str, *, hook_id: UUID = HOOK, **more: Any) -> dict[str, Any]:
    """Return a secret as its row has it."""
    one = CIPHER.seal(secret, desk_id=DESK, ticket_id=hook_id, secret_id=hook_id)
    nonce, ciphertext = (base64.b64encode(part).decode() for part in (one.nonce, one.ciphertext))
    return {"key_id": one.key_id, "nonce": nonce, "ciphertext": ciphertext} | more


def hook(*secrets: dict[str, Any]) -> Hook:
    """Return a hook with secrets, the newest first."""
    return Hook(
        hook_id=HOOK,
        desk_id=DESK,
        name="x",
        kind="custom",
        scheme="standard",
        mapping={},
        contract_id=None,
        tolerance_seconds=300,
        secrets=list(secrets),
        created_at=UNTIL,
    )


def test_a_replaced_secret_counts_until_its_instant() -> None:
    rotated = hook(sealed("new"), sealed("old", until=UNTIL.isoformat()))
    before = UNTIL - timedelta(microseconds=1)
    assert valid_secrets(rotated, cipher=CIPHER, clock_now=before) == ["new", "old"]
    assert valid_secrets(rotated, cipher=CIPHER, clock_now=UNTIL) == ["new"]


def test_a_secret_is_bound_to_its_hook() -> None:
    with pytest.raises(NoKey):
        valid_secrets(hook(sealed("other", hook_id=UUID(int=3))), cipher=CIPHER, clock_now=UNTIL)
