"""What completes a request after its opening: missing parts and steps, and the confirmation of its severity."""

from dataclasses import replace
from uuid import UUID

from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain import opening
from tickets.domain.completeness import answer_faults
from tickets.domain.lifecycle import Action
from tickets.domain.ticket import Answers
from tickets.schemas.requests import AnswersCreate, ConfirmationCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import By, changing, decide_again


class NothingToConfirm(PlazoError):
    """The severity is not provisional."""

    kind = Kind.CONFLICT
    code = "nothing-to-confirm"


class WrongChannel(PlazoError):
    """The contract wants the severity confirmed by another channel."""

    kind = Kind.CONFLICT
    code = "wrong-channel"


async def complete_request(uow: UnitOfWork, *, ticket_id: UUID, body: AnswersCreate, by: By) -> TicketView:
    """Add parts of the description and steps tried since; what is no longer missing is no longer flagged.

    EXP-10, SMA-04, PRO-22

    :raises InvalidInput: with every name that the policy does not ask for
    """
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.CHANGE_FACTS)
        policy = await change.policy()
        new = Answers(parts=body.parts, checklist=body.checklist)
        if faults := answer_faults(policy, new):
            raise InvalidInput("the policy does not ask for that", faults=faults)
        before = change.before.answers
        answers = Answers(parts={**before.parts, **new.parts}, checklist={**before.checklist, **new.checklist})
        change.note("completed", by, parts=sorted(new.parts), checklist=dict(new.checklist))
        await decide_again(change, policy, given=change.before.given, actor=by.actor, answers=answers)
    return change.done()


async def confirm_severity(uow: UnitOfWork, *, ticket_id: UUID, body: ConfirmationCreate, by: By) -> TicketView:
    """Confirm the severity that was reported, or the one that the facts told now amount to (IRE-14).

    The timeline has both instants; the clocks go on counting from the report.

    :raises NothingToConfirm: if it is not provisional
    :raises WrongChannel: if the contract wants another channel
    :raises InvalidInput: with every stated fact that is unknown or cannot be
    """
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.CHANGE_FACTS)
        policy = await change.policy()
        rule, before = policy.intake.confirmation, change.before
        if rule is None or before.severity_confirmed is not False:
            raise NothingToConfirm(f"the severity of {before.number} is not provisional")
        clause = ", ".join(rule.clause)
        if body.channel != rule.channel:
            raise WrongChannel(f"the severity is confirmed by {rule.channel}, not by {body.channel}", clause=clause)
        if faults := opening.stated_faults(policy, body.facts):
            raise InvalidInput("the stated facts do not fit the policy", faults=faults)
        await decide_again(change, policy, given=before.given | body.facts, actor=by.actor)
        still_asked = change.after.severity_confirmed is not None
        change.after = replace(change.after, severity_confirmed=True if still_asked else None)
        change.note(
            "severity_confirmed",
            by,
            text=body.text,
            channel=body.channel,
            reported=before.facts.get("severity"),
            severity=change.after.facts.get("severity"),
            reported_at=before.received_at or before.opened_at,
            clauses=list(rule.clause),
        )
    return change.done()
