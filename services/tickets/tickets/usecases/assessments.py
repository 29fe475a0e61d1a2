"""What an expert says of a ticket: whether it can be solved, by when, and what is missing for that. SKE-06"""

from dataclasses import asdict
from uuid import UUID

from plazo.events.ticket_life import TicketAssessed
from plazo.events.tickets import TicketAnswered
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.ids import new_id
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.lifecycle import Action
from tickets.repository import lifecycle
from tickets.repository.lifecycle import Assessment
from tickets.schemas.lifecycle import AssessmentCreate, AssessmentView
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import By, changing
from tickets.usecases.reading import visible_ticket
from tickets.usecases.waits import begin_wait, set_date


async def assess(uow: UnitOfWork, *, ticket_id: UUID, body: AssessmentCreate, by: By) -> TicketView:
    """Record an assessment: its date arms the agreed clock, what is missing is awaited from the customer.

    :raises InvalidInput: if it says neither by when nor what is missing, or no design where it can not be solved
    """
    _check(body)
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.ANSWER)
        assessment = Assessment(
            assessment_id=new_id(),
            ticket_id=ticket_id,
            assessed_at=change.now,
            assessed_by=by.actor,
            level=change.before.level,
            solvable=body.solvable,
            due_at=body.due_at,
            missing=body.missing_information,
            design=body.design,
        )
        await lifecycle.insert_assessment(change.tx, assessment)
        change.note("assessed", by, text=body.design, internal=True, solvable=body.solvable, due_at=body.due_at)
        change.announce(
            TicketAnswered(activity="assessment", channel="api", by=by.actor),
            TicketAssessed(
                assessment_id=assessment.assessment_id,
                solvable=body.solvable,
                by=by.actor,
                due_at=body.due_at,
                missing=body.missing_information,
                design=body.design,
            ),
        )
        if body.due_at is not None:
            set_date(change, body.due_at, by)
        if body.missing_information is not None:
            begin_wait(change, "customer", reason=body.missing_information, by=by)
    return change.done()


async def list_assessments(uow: UnitOfWork, *, ticket_id: UUID) -> list[AssessmentView]:
    """Return the assessments of a ticket, oldest first. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=None)
        found = await lifecycle.list_assessments(connection, ticket_id)
    return [
        AssessmentView(
            **{name: value for name, value in asdict(one).items() if name in AssessmentView.model_fields},
            missing_information=one.missing,
        )
        for one in found
    ]


def _check(body: AssessmentCreate) -> None:
    if body.solvable and body.due_at is None and body.missing_information is None:
        fault = Fault(pointer="/due_at", message="expected by when it is solved, or missing_information")
        raise InvalidInput("what can be solved needs a date, or says what is missing for one", faults=[fault])
    if not body.solvable and body.design is None and body.missing_information is None:
        fault = Fault(pointer="/design", message="expected a design of a solution, or missing_information")
        raise InvalidInput("what can not be solved as it stands needs a design", faults=[fault])
