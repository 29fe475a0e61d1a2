"""The service: who must act and who must be told."""

from fastapi import FastAPI

from escalation import consumers, timers
from escalation.routes import agents, escalations, messages
from plazo.runtime import desks, web
from plazo.runtime.consumer import merge_handlers
from plazo.runtime.service import Service

SERVICE = Service(
    name="escalation",
    title="escalation",
    description="Who must act and who must be told: teams, levels, the escalation matrix, messages.",
    routers=(agents.router, escalations.router, messages.router),
    handlers=merge_handlers(desks.HANDLERS, consumers.HANDLERS),
    background=(timers.watch_steps,),
)


def create_app() -> FastAPI:
    """Return the service's ASGI app."""
    return web.create_app(SERVICE)
