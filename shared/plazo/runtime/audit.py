"""Administrative acts: what needs more than everyday rights is recorded in the transaction of its effect.

Every change by a route that neither requesters nor agents may call is one, see :func:`plazo.runtime.call.allow`; so is
what the operator does to a desk. The record says who did what to what and which fields were given, never their values.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.inputs import View
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position

router = APIRouter(prefix="/v1/audit", tags=["operations"])

AdministratorCall = Annotated[Call, allow(Role.ADMINISTRATOR)]

_LIST = """
SELECT seq, at, recorded_at, role, label, key_id, action, request, subject, fields, request_id, address
FROM administrative_act
WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::text IS NULL OR key_id = $2) AND ($3::text IS NULL OR action = $3)
ORDER BY seq DESC LIMIT $4
"""


class ActView(View):
    """An administrative act: who (`role`, `label`, `key_id`), what (`action`), to what (`subject`).

    `at` is the desk's present, `recorded_at` the machine's time; `fields` are the names of what was given; `address` is
    where the request came from. What was refused is not an act: it had no effect, and is in the service's log with its
    desk and key.
    """

    seq: int
    at: datetime
    recorded_at: datetime
    role: str
    label: str
    key_id: str
    action: str
    request: str
    subject: dict[str, Any]
    fields: list[str]
    request_id: str | None
    address: str | None


@router.get("")
async def list_administrative_acts(
    call: AdministratorCall,
    key: Annotated[str | None, Query(max_length=250, description="of this key or token subject only")] = None,
    action: Annotated[str | None, Query(max_length=100, description="of this kind only, such as `issue_key`")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Page[ActView]:
    """List the administrative acts at this service, newest first."""
    [before] = position(cursor, int) or (None,)
    async with call.uow().read() as connection:
        rows = await connection.fetch(_LIST, before, key, action, limit + 1)
    return page_of([ActView(**row) for row in rows], limit=limit, keys=lambda act: (act.seq,))
