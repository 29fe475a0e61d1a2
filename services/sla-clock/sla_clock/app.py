"""The service sla-clock, put together."""

from fastapi import FastAPI

from plazo.runtime import desks, policies
from plazo.runtime.consumer import merge_handlers
from plazo.runtime.service import Service
from plazo.runtime.web import create_app as create_service_app
from sla_clock import consumers
from sla_clock.routes import availability, clocks, compliance, desk_clock, outages, questions, recomputations
from sla_clock.timers import audit_timers, fire_when_due, plan_when_near, recompute_when_asked

SERVICE = Service(
    name="sla_clock",
    title="sla-clock",
    description="The only owner of time: calendars, clocks, timers, and the test clock of a sandbox desk.",
    routers=(
        clocks.router,
        desk_clock.router,
        questions.router,
        compliance.router,
        recomputations.router,
        outages.router,
        availability.router,
    ),
    # The time of sandbox desks is moved here, and so is not read.
    handlers=merge_handlers({"tickets": desks.HANDLERS["tickets"]}, policies.HANDLERS, consumers.HANDLERS),
    background=(fire_when_due, plan_when_near, audit_timers, recompute_when_asked),
    # Ten thousand questions, each with a calendar of its own.
    body_limits={r"/v1/(deadlines|working-times)": 16_000_000},
)


def create_app() -> FastAPI:
    """Return the app, with settings from the environment."""
    return create_service_app(SERVICE)
