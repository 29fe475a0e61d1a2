"""Finding tickets: lists and their orders, counts, kept filters, words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.kernel.errors import NotFound
from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.ticket import Ticket
from tickets.repository import dossier, search
from tickets.repository.search import Order, Wanted
from tickets.schemas.dossier import FoundView, SavedViewCreate, SavedViewView, TicketFilter
from tickets.schemas.tickets import TicketView
from tickets.usecases.reading import with_announced

_KEYS: dict[Order, tuple[type[Any], ...]] = {
    "newest": (datetime, UUID),
    "queue": (int, datetime, UUID),
    "due": (datetime, UUID),
}


async def list_tickets(
    uow: UnitOfWork, wanted: Wanted, *, order: Order, cursor: str | None, limit: int
) -> Page[TicketView]:
    """Return a page of tickets. The queue and the order by due instant have only what is not closed.

    :raises InvalidInput: for a cursor of another order
    """
    after = position(cursor, *_KEYS[order])
    async with uow.read() as connection:
        found = await search.list_tickets(connection, wanted, order=order, after=after, limit=limit + 1)
        due = await search.due_instants(connection, found[limit - 1 : limit]) if order != "newest" else {}

        def keys(ticket: Ticket) -> Sequence[Any]:
            if order == "newest":
                return (ticket.opened_at, ticket.ticket_id)
            place = (due[ticket.ticket_id], ticket.ticket_id)
            return (ticket.queue_rank, *place) if order == "queue" else place

        page = page_of(found, limit=limit, keys=keys)
        items = await with_announced(connection, page.items)
    return Page(items=items, next_cursor=page.next_cursor)


async def count_tickets(uow: UnitOfWork, wanted: Wanted, *, by: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many tickets there are of each value of several columns; "" stands for none."""
    async with uow.read() as connection:
        return {
            one: {row["value"] or "": row["count"] for row in await search.count_by(connection, wanted, by=one)}
            for one in by
        }


async def search_tickets(
    uow: UnitOfWork, *, words: str, customer_id: UUID | None, with_internal: bool, limit: int
) -> list[FoundView]:
    """Return the tickets that have the words, best first; a customer's search knows nothing of internal notes."""
    async with uow.read() as connection:
        hits = await search.search_tickets(
            connection, words, customer_id=customer_id, with_internal=with_internal, limit=limit
        )
        views = await with_announced(connection, [ticket for ticket, _ in hits])
    return [FoundView(ticket=view, snippet=snippet) for view, (_, snippet) in zip(views, hits, strict=True)]


async def save_view(uow: UnitOfWork, *, body: SavedViewCreate, made_by: str) -> SavedViewView:
    """Keep a filter under a name; the newest under a name holds."""
    async with uow.begin() as tx:
        row = await dossier.save_view(
            tx,
            view_id=new_id(),
            name=body.name,
            filter_=body.filter.model_dump(mode="json", exclude_none=True),
            made_by=made_by,
        )
        view = SavedViewView(**row, count=await _count(tx.connection, row["filter"]))
        tx.answer = view.model_dump(mode="json")
    return view


async def list_views(uow: UnitOfWork) -> list[SavedViewView]:
    """Return the kept filters with what they find now."""
    async with uow.read() as connection:
        return [
            SavedViewView(**row, count=await _count(connection, row["filter"]))
            for row in await dossier.list_views(connection)
        ]


async def delete_view(uow: UnitOfWork, *, view_id: UUID) -> None:
    """Forget a kept filter. :raises NotFound:"""
    async with uow.begin() as tx:
        if not await dossier.delete_view(tx, view_id):
            raise NotFound(f"there is no view {view_id}")


def wanted_by(filter_: TicketFilter) -> Wanted:
    """Return a filter as the repository takes it."""
    return Wanted(**filter_.model_dump())


async def _count(connection: Connection, kept: dict[str, Any]) -> int:
    return await search.count_tickets(connection, wanted_by(TicketFilter.model_validate(kept)))
