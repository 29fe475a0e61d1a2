"""Secrets of customers: encrypted with a key from the settings, known again where they are repeated."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plazo.kernel.errors import Kind, PlazoError

_KEY_BYTES = 32
_NONCE_BYTES = 12
SHORTEST_REPEATED = 4  # shorter values stand in ordinary words


class NoKey(PlazoError):
    """This installation has no key for secrets, or no longer the one that a secret was encrypted with."""

    kind = Kind.UNAVAILABLE
    code = "no-secrets-key"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value, the key that it takes, and the mark by which it is known where it is repeated."""

    key_id: str
    nonce: bytes
    ciphertext: bytes
    mark: bytes | None
    length: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a secret to find it in a text: not the value, and nothing that leads to it without the key."""

    mark: bytes
    length: int
    label: str


class Cipher:
    """Encrypts with the newest key, decrypts with any (AES-256-GCM)."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """Take keys by id, the newest first."""
        self._keys = keys

    def seal(self, value: str, *, desk_id: UUID, ticket_id: UUID, secret_id: UUID) -> Sealed:
        """Encrypt a value for its place: elsewhere it cannot be decrypted."""
        key_id, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        place = _place(desk_id, ticket_id, secret_id)
        return Sealed(
            key_id=key_id,
            nonce=nonce,
            ciphertext=AESGCM(key).encrypt(nonce, value.encode(), place),
            mark=self._mark(key_id, ticket_id, value) if len(value) >= SHORTEST_REPEATED else None,
            length=len(value),
        )

    def unseal(
        self, *, key_id: str, nonce: bytes, ciphertext: bytes, desk_id: UUID, ticket_id: UUID, secret_id: UUID
    ) -> str:
        """Decrypt a value in its place. :raises NoKey: if its key is gone, or it is not what was encrypted there"""
        if key_id not in self._keys:
            raise NoKey(f"the secret was encrypted with the key {key_id!r}, which PLAZO_SECRETS_KEY no longer has")
        place = _place(desk_id, ticket_id, secret_id)
        try:
            return AESGCM(self._keys[key_id]).decrypt(nonce, ciphertext, place).decode()
        except InvalidTag as error:
            raise NoKey(f"the key {key_id!r} does not open the secret: another key, or the row was altered") from error

    def redact(self, text: str, *, ticket_id: UUID, marks: Iterable[Mark]) -> str:
        """Return the text without the secrets of its ticket."""
        labels = {one.mark: one.label for one in marks}
        for length in sorted({one.length for one in marks}, reverse=True):
            start = 0
            while start + length <= len(text):
                part = text[start : start + length]
                found = next((mark for key in self._keys if (mark := self._mark(key, ticket_id, part)) in labels), None)
                if found is None:
                    start += 1
                    continue
                shown = f"[{labels[found]}]"
                text = text[:start] + shown + text[start + length :]
                start += len(shown)
        return text

    def digest(self, value: str) -> str:
        """Return a digest of something secret from which nobody can guess it without the key."""
        key = next(iter(self._keys.values()))
        return hmac.digest(key, b"request:" + value.encode(), "sha256").hex()

    def _mark(self, key_id: str, ticket_id: UUID, value: str) -> bytes:
        return hmac.digest(self._keys[key_id], b"mark:" + ticket_id.bytes + value.encode("utf-8", "replace"), "sha256")


def _place(desk_id: UUID, ticket_id: UUID, secret_id: UUID) -> bytes:
    return b"plazo-secret-1" + desk_id.bytes + ticket_id.bytes + secret_id.bytes


def parse_keys(setting: str | None) -> Cipher:
    """Read `id:base64,id:base64`, newest first; a key without an id is called by its fingerprint.

    :raises NoKey: naming the setting, if there is none or it cannot be read
    """
    if not setting:
        raise NoKey("this installation keeps no secrets: the setting PLAZO_SECRETS_KEY is missing")
    keys: dict[str, bytes] = {}
    for part in setting.split(","):
        key_id, _, encoded = part.strip().rpartition(":")
        try:
            key = base64.b64decode(encoded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise NoKey("PLAZO_SECRETS_KEY: expected id:key, the key being 32 bytes in base64; several with commas")
        key_id = key_id or hashlib.sha256(key).hexdigest()[:8]
        if key_id in keys:
            raise NoKey(f"PLAZO_SECRETS_KEY: expected a different id for each key, got {key_id!r} twice")
        keys[key_id] = key
    return Cipher(keys)
