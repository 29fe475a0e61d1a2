"""`Idempotency-Key`: a repeated request is answered as the first was, and has no second effect."""

import hashlib
from typing import Any

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.unit_of_work import AlreadyDone, Transaction

MAX_LENGTH = 200

_CLAIM = """
INSERT INTO idempotency_key (desk_id, key_id, idempotency_key, request_hash, status) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true
"""
_RECALL = """
SELECT request_hash, status, answer FROM idempotency_key WHERE desk_id = $1 AND key_id = $2 AND idempotency_key = $3
"""
_SETTLE = """
UPDATE idempotency_key SET answer = $4 WHERE desk_id = $1 AND key_id = $2 AND idempotency_key = $3
"""


class KeyReused(PlazoError):
    """The key came with another request before."""

    kind = Kind.CONFLICT
    code = "idempotency-key-reused"


class Replayed(AlreadyDone):
    """The request was answered before, with this `answer` and `status`."""

    def __init__(self, answer: Any, *, status: int) -> None:
        super().__init__(answer)
        self.status = status


def request_hash(*, method: str, path: str, body: bytes) -> str:
    """Return what two requests must share to be the same one."""
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode(), body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


class IdempotencyClaim:
    """The claim on a request with a key; see :class:`plazo.runtime.unit_of_work.Claim`.

    While a first request is under way a second one with the same key waits for it: both insert the same row.
    """

    def __init__(self, *, caller: str, key: str, request_hash: str, status: int) -> None:
        self._caller = caller
        self._key = key
        self._hash = request_hash
        self._status = status

    async def claim(self, tx: Transaction) -> None:
        """Take the key. :raises Replayed: with the first answer; :raises KeyReused: if the request differs"""
        fresh = await tx.connection.fetchval(_CLAIM, tx.desk_id, self._caller, self._key, self._hash, self._status)
        if fresh:
            return
        row = await tx.connection.fetchrow(_RECALL, tx.desk_id, self._caller, self._key)
        assert row is not None
        if row["request_hash"] != self._hash:
            raise KeyReused(
                f"the Idempotency-Key {self._key!r} was used with another request; use a new key for a new request"
            )
        raise Replayed(row["answer"], status=row["status"])

    async def settle(self, tx: Transaction) -> None:
        """Keep the answer beside the effect."""
        await tx.connection.execute(_SETTLE, tx.desk_id, self._caller, self._key, tx.answer)
