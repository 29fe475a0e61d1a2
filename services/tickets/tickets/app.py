"""The service tickets, put together."""

from fastapi import FastAPI

from plazo.runtime import desks, policies
from plazo.runtime.consumer import Handlers, merge_handlers
from plazo.runtime.service import Service
from plazo.runtime.web import create_app as create_service_app
from tickets import consumers
from tickets.routes import appointments as appointment_routes
from tickets.routes import attachments as attachment_routes
from tickets.routes import contracts as contract_routes
from tickets.routes import desks as desk_routes
from tickets.routes import dossier as dossier_routes
from tickets.routes import expertise as expertise_routes
from tickets.routes import hooks as hook_routes
from tickets.routes import imports as import_routes
from tickets.routes import intake as intake_routes
from tickets.routes import lifecycle as lifecycle_routes
from tickets.routes import parties as party_routes
from tickets.routes import quarantine as quarantine_routes
from tickets.routes import queue as queue_routes
from tickets.routes import relations as relation_routes
from tickets.routes import secrets as secret_routes
from tickets.routes import stream as stream_routes
from tickets.routes import terms as term_routes
from tickets.routes import tickets as ticket_routes
from tickets.routes.smtp import take_mail_by_smtp
from tickets.usecases.attachments import sweep_objects
from tickets.usecases.streaming import wake_readers

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
    routers=(
        desk_routes.router,
        term_routes.router,
        party_routes.router,
        contract_routes.router,
        quarantine_routes.router,
        queue_routes.router,
        ticket_routes.router,
        attachment_routes.router,
        secret_routes.router,
        dossier_routes.router,
        stream_routes.router,
        lifecycle_routes.router,
        relation_routes.router,
        expertise_routes.router,
        appointment_routes.router,
        intake_routes.router,
        hook_routes.router,
        import_routes.router,
    ),
    handlers=_FROM_OTHERS,
    background=(sweep_objects, wake_readers, import_routes.import_by_and_by, take_mail_by_smtp),
    body_limits={
        attachment_routes.UPLOAD_PATH: attachment_routes.LARGEST_UPLOAD,
        intake_routes.MAIL_PATH: intake_routes.LARGEST_MAIL,
        import_routes.UPLOAD_PATH: import_routes.LARGEST_UPLOAD,
    },
)


def create_app() -> FastAPI:
    """Return the app, with settings from the environment."""
    return create_service_app(SERVICE)
