"""The service: who must act and who must be told."""

from fastapi import FastAPI

from escalation import consumers
from escalation.routes import agents, escalations, links, mailbox, messages, subscriptions, templates
from escalation.timers import contacts, delivery, posting, watchdog
from escalation.usecases.posting import queue_deliveries
from plazo.runtime import desks, web
from plazo.runtime.consumer import merge_handlers
from plazo.runtime.service import Service

SERVICE = Service(
    name="escalation",
    title="escalation",
    description="Who must act and who must be told: teams, levels, the escalation matrix, messages.",
    routers=(
        agents.router,
        escalations.router,
        messages.router,
        templates.router,
        links.router,
        mailbox.router,
        subscriptions.router,
    ),
    handlers=merge_handlers(desks.HANDLERS, consumers.HANDLERS),
    background=(watchdog.watch_steps, delivery.deliver_messages, posting.post_events, contacts.recall_contacts),
    witness=queue_deliveries,
)


def create_app() -> FastAPI:
    """Return the service's ASGI app."""
    return web.create_app(SERVICE)
