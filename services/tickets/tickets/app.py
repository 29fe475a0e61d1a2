"""The service tickets, put together."""

from fastapi import FastAPI

from plazo.runtime import desks, policies
from plazo.runtime.consumer import Handlers, merge_handlers
from plazo.runtime.service import Service
from plazo.runtime.web import create_app as create_service_app
from tickets import consumers
from tickets.routes import desks as desk_routes
from tickets.routes import terms as term_routes
from tickets.routes import tickets as ticket_routes

# What tickets itself announces it does not read.
_FROM_OTHERS: dict[str, Handlers] = {
    producer: handlers
    for producer, handlers in merge_handlers(desks.HANDLERS, policies.HANDLERS, consumers.HANDLERS).items()
    if producer != "tickets"
}

SERVICE = Service(
    name="tickets",
    title="tickets",
    description="What was asked, by whom, under which contract, and what happened since.",
    routers=(desk_routes.router, term_routes.router, ticket_routes.router),
    handlers=_FROM_OTHERS,
)


def create_app() -> FastAPI:
    """Return the app, with settings from the environment."""
    return create_service_app(SERVICE)
