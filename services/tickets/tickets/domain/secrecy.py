"""Secrets of customers: encrypted with a key from the settings, known again where they are repeated."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, product
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plazo.kernel.errors import Kind, PlazoError

_KEY_BYTES = 32
_NONCE_BYTES = 12
SHORTEST_REPEATED = 4  # shorter values stand in ordinary words
MOST_SECRETS = 20  # of a ticket, in all: what is said of it is searched for each
_SHORTEST_CREDENTIAL = 8
_PRIME = 2**30 - 35  # the largest whose remainders are quick: one digit of a Python integer


class NoKey(PlazoError):
    """This installation has no key for secrets, or no longer the one that a secret was encrypted with."""

    kind = Kind.UNAVAILABLE
    code = "no-secrets-key"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value, the key that it takes, and the mark and trace by which it is known where it is repeated."""

    key_id: str
    nonce: bytes
    ciphertext: bytes
    mark: bytes | None
    trace: int | None
    length: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a secret of a ticket to find it in a text; `shown` stands in its place.

    A `value` is known until it was shown. Then there is the mark, which needs the key, and the `trace`, a rolling hash
    that says cheaply where the mark is worth its comparison. Secrets of earlier versions have no trace.
    """

    ticket_id: UUID
    mark: bytes
    length: int
    shown: str
    trace: int | None = None
    value: str | None = field(default=None, repr=False)


def looks_like_credential(value: str) -> bool:
    """Return whether nobody writes a value by chance: 8 characters or more, no white space, letters and digits."""
    return (
        len(value) >= _SHORTEST_CREDENTIAL
        and not any(one.isspace() for one in value)
        and any(one.isalpha() for one in value)
        and any(one.isdigit() for one in value)
    )


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
        mark = self._mark(key_id, ticket_id, value) if len(value) >= SHORTEST_REPEATED else None
        return Sealed(
            key_id=key_id,
            nonce=nonce,
            ciphertext=AESGCM(key).encrypt(nonce, value.encode(), place),
            mark=mark,
            trace=None if mark is None else self.trace(value, mark=mark, key_id=key_id, ticket_id=ticket_id),
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

    def trace(self, value: str, *, mark: bytes, key_id: str, ticket_id: UUID) -> int:
        """Return the rolling hash of a value, masked: without the key it says nothing, whatever else is known."""
        hashed = _rolling(value, base=self._base(key_id, ticket_id))[-1]
        return (hashed + self._mask(key_id, mark)) % _PRIME

    def redact(self, text: str, *, marks: Collection[Mark]) -> str:
        """Return the text without secrets.

        What it takes grows with the text and the number of marks, not with their lengths: values are found as such,
        and of shown ones a mark is only compared where its trace fits (so for marks that have one).
        """
        left: list[str] = []
        end = 0
        # By their beginning, the longer first; what overlaps with one that goes, goes with it.
        for start, stop, shown in sorted(self._repetitions(text, marks), key=lambda one: (one[0], -one[1])):
            if start >= end:
                left += (text[end:start], shown)
            end = max(end, stop)
        return "".join((*left, text[end:]))

    def _repetitions(self, text: str, marks: Collection[Mark]) -> Iterator[tuple[int, int, str]]:
        """Yield beginning and end of each secret in a text, and what stands in its place."""
        for one in marks:
            if one.value is not None:
                yield from ((at, at + one.length, one.shown) for at in _places(one.value, text))
        hidden = [one for one in marks if one.value is None and one.length <= len(text)]
        for key_id, ticket_id in product(self._keys, dict.fromkeys(one.ticket_id for one in hidden)):
            hashes = _rolling(text, base=self._base(key_id, ticket_id))
            for one in hidden:
                if one.ticket_id != ticket_id:
                    continue
                end = 0
                for start in self._suspects(hashes, one, key_id=key_id):
                    stop = start + one.length
                    if start >= end and self._mark(key_id, ticket_id, text[start:stop]) == one.mark:
                        end = stop
                        yield start, stop, one.shown

    def _suspects(self, hashes: list[int], mark: Mark, *, key_id: str) -> Iterable[int]:
        """Return where a secret may begin: where its trace fits, or anywhere if it has none."""
        if mark.trace is None:
            return range(len(hashes) - mark.length)
        trace = (mark.trace - self._mask(key_id, mark.mark)) % _PRIME
        shift = pow(self._base(key_id, mark.ticket_id), mark.length, _PRIME)
        windows = enumerate(zip(hashes, hashes[mark.length :], strict=False))
        return [start for start, (before, after) in windows if (after - before * shift) % _PRIME == trace]

    def digest(self, value: str) -> str:
        """Return a digest of something secret from which nobody can guess it without the key."""
        key = next(iter(self._keys.values()))
        return hmac.digest(key, b"request:" + value.encode(), "sha256").hex()

    def _mark(self, key_id: str, ticket_id: UUID, value: str) -> bytes:
        return hmac.digest(self._keys[key_id], b"mark:" + ticket_id.bytes + value.encode("utf-8", "replace"), "sha256")

    def _base(self, key_id: str, ticket_id: UUID) -> int:
        return 2 + int.from_bytes(hmac.digest(self._keys[key_id], b"base:" + ticket_id.bytes, "sha256")) % (_PRIME - 2)

    def _mask(self, key_id: str, mark: bytes) -> int:
        return int.from_bytes(hmac.digest(self._keys[key_id], b"mask:" + mark, "sha256")) % _PRIME


def _rolling(text: str, *, base: int) -> list[int]:
    """Return the hash of every beginning of a text, the empty one first: two of them give that of what is between."""
    return list(accumulate(map(ord, text), lambda before, one: (before * base + one) % _PRIME, initial=0))


def _places(value: str, text: str) -> Iterator[int]:
    """Yield where a text has a value, none of them overlapping."""
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + len(value))


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
