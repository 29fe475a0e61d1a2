"""Who calls, and what a change of a ticket is answered with."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any

from fastapi.routing import APIRoute

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF
from tickets.schemas.lifecycle import MergeCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases import reading, redacting, secrets
from tickets.usecases.changes import By
from tickets.usecases.contacts import Caller

StaffCall = Annotated[Call, allow(*STAFF)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]


def by_of(call: Call) -> By:
    """Return who changes a ticket by a call."""
    return By(
        actor=f"{call.principal.role}: {call.principal.label}",
        customer_id=call.principal.customer_id,
        if_match=call.request.headers.get("if-match"),
        role=call.principal.role,
        contact_id=call.principal.contact_id,
    )


def caller_of(call: Call) -> Caller:
    """Return who acts for a customer by a call."""
    return Caller(
        actor=f"{call.principal.role}: {call.principal.label}",
        customer_id=call.principal.customer_id,
        contact_id=call.principal.contact_id,
        if_match=call.request.headers.get("if-match"),
    )


class TicketRoute(APIRoute):
    """A route about a ticket: what it takes in loses the credentials that were entrusted with the ticket (PRO-22)."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Take a path operation; one with `ticket_id`, `body` and `call` gets its body without credentials."""
        super().__init__(path, _without_secrets(endpoint), **options)


def _without_secrets(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    takes = inspect.signature(endpoint).parameters.keys()
    if not {"ticket_id", "body", "call"} <= takes or hasattr(endpoint, "__wrapped__"):
        return endpoint

    @wraps(endpoint)
    async def take_without_secrets(**given: Any) -> Any:
        call, body = given["call"], given["body"]
        cipher = secrets.known_cipher(call.runtime)
        if cipher is None:
            return await endpoint(**given)
        about = [given["ticket_id"], body.into] if isinstance(body, MergeCreate) else [given["ticket_id"]]
        by_customer = call.principal.customer_id is not None
        while True:
            left, check = await redacting.without_secrets(
                call.uow(), cipher, about=about, body=body, by_customer=by_customer
            )
            try:
                return await endpoint(**given | {"body": left, "call": replace(call, check=check)})
            except redacting.MoreSecrets:
                continue  # nothing was done; a ticket has few secrets, so this is over soon

    return take_without_secrets


async def answer_ticket(call: Call, view: TicketView) -> TicketView:
    """Return the ticket; as it stands once all has settled, if the caller prefers to wait for that."""
    if await call.settle(view.ticket_id):
        view = await reading.read_ticket(call.uow(), ticket_id=view.ticket_id, customer_id=call.principal.customer_id)
    call.show_version(view.version)
    return view
