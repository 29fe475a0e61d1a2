"""Lists of tickets: the queue, filters, counts, kept views, search."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from plazo.kernel.errors import Fault, InvalidInput
from plazo.runtime.identity import Forbidden, Role
from plazo.runtime.inputs import Instant, Line
from plazo.runtime.pagination import MAX_LIMIT, Page
from tickets.domain.lifecycle import State
from tickets.repository.search import COUNTED, Order, Wanted
from tickets.routes.callers import AnyCall, StaffCall, by_of
from tickets.schemas.dossier import FoundView, SavedViewCreate, SavedViewView
from tickets.schemas.tickets import TicketView
from tickets.usecases import searching

router = APIRouter(prefix="/v1", tags=["tickets"])

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Words = Annotated[
    str, Query(min_length=1, max_length=200, description='words, "a phrase", -not; or how a number begins')
]


def _wanted(
    call: AnyCall,
    state: Annotated[list[State] | None, Query(description="any of these")] = None,
    level: Annotated[int | None, Query(ge=0, le=100)] = None,
    team: Line | None = None,
    assignee: Annotated[Line | None, Query(description="for the desk's own people")] = None,
    customer_id: UUID | None = None,
    severity: Line | None = None,
    priority: Line | None = None,
    plan: Line | None = None,
    flag: Line | None = None,
    breached: Annotated[bool | None, Query(description="a promise is broken")] = None,  # of a query
    held: Annotated[bool | None, Query()] = None,  # of a query
    due_before: Annotated[Instant | None, Query(description="something falls due before")] = None,
) -> Wanted:
    """Return the filter of a request; a requester sees its own customer's tickets.

    :raises Forbidden: for a requester who asks by assignee: whose the tickets are, it is not told
    """
    if assignee is not None and call.principal.role is Role.REQUESTER:
        raise Forbidden("assignee: only the desk's own people may ask by assignee; leave it out")
    return Wanted(
        state=[str(one) for one in state] if state else None,
        level=level,
        team=team,
        assignee=assignee,
        customer_id=call.principal.customer_id or customer_id,
        severity=severity,
        priority=priority,
        plan=plan,
        flag=flag,
        breached=breached,
        held=held,
        due_before=due_before,
    )


Filter = Annotated[Wanted, Depends(_wanted)]


@router.get("/tickets")
async def list_tickets(
    call: AnyCall, wanted: Filter, order: Order = "newest", limit: Limit = 50, cursor: str | None = None
) -> Page[TicketView]:
    """List tickets: the newest first, by the policy's queue (grade, then due instant), or by what is due first."""
    return await searching.list_tickets(call.uow(), wanted, order=order, cursor=cursor, limit=limit)


@router.get("/tickets/counts")
async def count_tickets(
    call: AnyCall,
    wanted: Filter,
    by: Annotated[str, Query(description=f"some of {', '.join(COUNTED)}, with commas")] = "state",
) -> dict[str, dict[str, int]]:
    """Count tickets by the values of columns; the name "" stands for tickets that have none."""
    columns = tuple(dict.fromkeys(part.strip() for part in by.split(",")))
    if unknown := [one for one in columns if one not in COUNTED]:
        message = f"by: expected some of {', '.join(COUNTED)}, got {', '.join(unknown)}"
        raise InvalidInput(message, faults=[Fault(pointer="", message=message)])
    return await searching.count_tickets(call.uow(), wanted, by=columns)


@router.get("/search")
async def search_tickets(call: AnyCall, q: Words, limit: Annotated[int, Query(ge=1, le=50)] = 20) -> list[FoundView]:
    """Search number, subject and texts, in Spanish and English, whatever the accents; the best first."""
    words = q.replace("\x00", " ").strip()
    if not words:
        raise InvalidInput("q: expected words", faults=[Fault(pointer="", message="q: expected words")])
    return await searching.search_tickets(
        call.uow(),
        words=words,
        customer_id=call.principal.customer_id,
        with_internal=call.principal.role is not Role.REQUESTER,
        limit=limit,
    )


@router.post("/views", status_code=201)
async def save_view(body: SavedViewCreate, call: StaffCall) -> SavedViewView:
    """Keep a filter under a name; a name that is there already gets the new filter."""
    return await searching.save_view(call.uow(status=201), body=body, made_by=by_of(call).actor)


@router.get("/views")
async def list_views(call: StaffCall) -> list[SavedViewView]:
    """List the kept filters with how many tickets each finds now."""
    return await searching.list_views(call.uow())


@router.delete("/views/{view_id}", status_code=204)
async def delete_view(view_id: UUID, call: StaffCall) -> None:
    """Forget a kept filter."""
    await searching.delete_view(call.uow(), view_id=view_id)
