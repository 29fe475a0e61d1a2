"""The recording of an administrative act, as a claim on the transaction of its effect."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from plazo.runtime.gate import caller_address
from plazo.runtime.unit_of_work import Claim, Transaction

_INSERT = """
INSERT INTO administrative_act
  (desk_id, at, role, label, key_id, action, request, subject, fields, request_id, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
# What of an answer tells what was changed; the rest may be secret.
_TELLING = ("action", "code", "channel", "name", "number", "policy", "role", "state", "version")
_LONGEST = 500
_LARGEST_BODY = 262_144  # beyond, fields are not told


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a role, the label of its key, and the key."""

    role: str
    label: str
    key_id: str


OPERATOR = Actor(role="operator", label="operator", key_id="operator")


class Act:
    """Records a request in the transaction of its effect, and is a claim of its own if there is one."""

    def __init__(self, request: Request, *, by: Actor, reads_body: bool = True, claim: Claim | None = None) -> None:
        self._request = request
        self._by = by
        self._reads_body = reads_body
        self._claim = claim

    async def claim(self, tx: Transaction) -> None:
        """Take hold of the claim within."""
        if self._claim is not None:
            await self._claim.claim(tx)

    async def settle(self, tx: Transaction) -> None:
        """Record the act beside its effect: once, where a request takes several transactions."""
        request = self._request
        if not getattr(request.state, "is_on_record", False):
            await self._record(tx)
            tx.after_commit(lambda: setattr(request.state, "is_on_record", True))
        if self._claim is not None:
            await self._claim.settle(tx)

    async def _record(self, tx: Transaction) -> None:
        request = self._request
        route = request.scope.get("route")
        await tx.connection.execute(
            _INSERT,
            tx.desk_id,
            tx.now,
            self._by.role,
            self._by.label,
            self._by.key_id,
            getattr(route, "name", "unknown"),
            f"{request.method} {request.url.path}"[:_LONGEST],
            subject_of(request.path_params, tx.answer),
            fields_of(await request.body()) if self._reads_body else [],
            getattr(request.state, "request_id", None),
            caller_address(request.scope),
        )


def subject_of(path: Mapping[str, Any], answer: Any) -> dict[str, Any]:
    """Return what an act was about: the parameters of its path, and the ids and names of its answer."""
    subject: dict[str, Any] = {name: str(value)[:_LONGEST] for name, value in path.items()}
    for name, value in answer.items() if isinstance(answer, dict) else ():
        is_telling = name.endswith("_id") or name in _TELLING
        if is_telling and isinstance(value, str | int) and name not in subject:
            subject[name] = value[:_LONGEST] if isinstance(value, str) else value
    return subject


def fields_of(body: bytes) -> list[str]:
    """Return the names of the fields of a JSON body."""
    if not body or len(body) > _LARGEST_BODY:
        return []
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return sorted(name[:100] for name in given) if isinstance(given, dict) else []
