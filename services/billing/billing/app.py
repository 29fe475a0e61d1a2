"""The billing service, put together."""

from fastapi import FastAPI

from billing import consumers
from billing.routes import accounts, balances, ledger, previews, quotes, service_credits, statements, timesheets, work
from billing.timers import log_imports, recall_contacts, seal_when_written
from plazo.runtime import desks, policies, web
from plazo.runtime.consumer import merge_handlers
from plazo.runtime.service import Service

SERVICE = Service(
    name="billing",
    title="billing",
    description="What it costs: accounts, the ledger, charges and who is let in on credit.",
    routers=(
        accounts.router,
        work.router,
        timesheets.router,
        previews.router,
        quotes.router,
        ledger.router,
        statements.router,
        balances.router,
        service_credits.router,
    ),
    handlers=merge_handlers(desks.HANDLERS, policies.HANDLERS, consumers.HANDLERS),
    background=(seal_when_written, log_imports, recall_contacts),
)


def create_app() -> FastAPI:
    """Return the service's ASGI app, set up from the environment."""
    return web.create_app(SERVICE)
