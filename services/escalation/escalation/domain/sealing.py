"""The secrets that webhooks are signed with, encrypted for where they are kept (AES-256-GCM)."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plazo.kernel.errors import Kind, PlazoError

_NONCE_BYTES = 12


class SecretUnreadable(PlazoError):
    """The key that a secret was encrypted with is gone from the settings."""

    kind = Kind.UNAVAILABLE
    code = "secret-unreadable"


def read_keys(setting: str) -> dict[str, bytes]:
    """Read `id:base64,id:base64`, newest first; a key without an id is called by its fingerprint.

    :raises ValueError: if a key is not 32 bytes
    """
    keys: dict[str, bytes] = {}
    for part in setting.split(","):
        name, _, encoded = part.strip().rpartition(":")
        key = base64.b64decode(encoded, altchars=b"-_", validate=True)
        if len(key) != 32:
            raise ValueError("PLAZO_SECRETS_KEY: expected id:key, the key being 32 bytes in base64")
        keys[name or hashlib.sha256(key).hexdigest()[:8]] = key
    return keys


def seal(secret: str, *, keys: Mapping[str, bytes], place: UUID) -> str:
    """Encrypt a secret with the first of the keys, for its place: elsewhere it cannot be read."""
    name, key = next(iter(keys.items()))
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return f"{name}:{base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret.encode(), place.bytes)).decode()}"


def unseal(sealed: str, *, keys: Mapping[str, bytes], place: UUID) -> str:
    """Decrypt a secret. :raises SecretUnreadable: if its key is gone, or it was not sealed for this place"""
    name, _, encoded = sealed.rpartition(":")
    if name not in keys:
        raise SecretUnreadable(f"the secret was encrypted with the key {name!r}, which is gone; rotate the secret")
    raw = base64.b64decode(encoded)
    try:
        return AESGCM(keys[name]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.bytes).decode()
    except InvalidTag as error:
        raise SecretUnreadable(f"the key {name!r} does not open the secret; rotate the secret") from error
