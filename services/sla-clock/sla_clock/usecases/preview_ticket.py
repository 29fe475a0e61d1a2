"""A look at what a policy would promise, before a ticket exists."""

import asyncio
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault, InvalidInput
from plazo.policy import Place, Policy, load_policy, place_of
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.preview import Forecast, forecast
from sla_clock.domain.terms import Terms
from sla_clock.schemas.preview import Preview, PreviewCharge, PreviewDeadline, PreviewInput, PreviewStep
from sla_clock.usecases.find_policy import find_published


async def preview_ticket(uow: UnitOfWork, *, body: PreviewInput, customer_id: UUID | None) -> Preview:
    """Return every deadline, escalation and the least charge that a policy gives for facts.

    :raises NotFound: if the policy has not been published in this desk, or no contract of the customer is under it
    :raises PolicyInvalid: with all the faults of a policy given as text
    """
    published = None if body.document is not None else await _find(uow, body, customer_id)
    # To read a long document and compile its calendars takes a while; other requests go on meanwhile.
    return await asyncio.to_thread(_preview, published, body)


def _preview(published: Policy | None, body: PreviewInput) -> Preview:
    policy = published or load_policy(body.document or "", source="document")
    terms = Terms(policy, _place(policy, body))
    return _view(policy, forecast(terms, body.facts, opened_at=body.opened_at))


async def _find(uow: UnitOfWork, body: PreviewInput, customer_id: UUID | None) -> Policy:
    assert body.policy is not None
    return await find_published(
        uow, policy=body.policy, version=body.version, at=body.opened_at, customer_id=customer_id
    )


def _place(policy: Policy, body: PreviewInput) -> Place | None:
    faults: list[Fault] = []
    try:
        load_zone(body.customer_timezone or policy.timezone)
    except ValueError as error:
        faults.append(Fault("/customer_timezone", str(error)))
    if body.customer_region is not None and body.customer_region not in policy.holidays:
        known = ", ".join(policy.holidays) or "none"
        faults.append(Fault("/customer_region", f"expected a holiday layer of the policy: {known}"))
    if faults:
        raise InvalidInput("the customer's place is not known", faults=faults)
    return place_of(policy, timezone=body.customer_timezone, region=body.customer_region)


def _view(policy: Policy, decided: Forecast) -> Preview:
    source = f"{policy.policy} {policy.version}"
    return Preview(
        policy=policy.policy,
        version=policy.version,
        covered=decided.coverage is None or decided.coverage.covered,
        coverage_clauses=decided.coverage.clause if decided.coverage else (),
        deadlines=[
            PreviewDeadline(
                kind=clock.kind,
                due_at=clock.due_at,
                target=clock.promise.target,
                calendar=clock.promise.calendar,
                commitment=clock.promise.commitment,
                clauses=clock.promise.clauses,
                source=f"{source}, targets rule {(clock.promise.rule or 0) + 1}",
                warnings={warned.threshold: warned.at for warned in clock.warnings},
            )
            for clock in decided.clocks
        ],
        escalations=[
            PreviewStep(
                trigger=step.trigger,
                kind=step.clock.kind,
                step=step.number,
                at=step.at,
                to_level=step.step.to_level,
                notify=step.step.notify,
                clauses=step.clauses,
            )
            for step in decided.steps
        ],
        minimum_charge=None
        if decided.work is None
        else PreviewCharge(
            charge=decided.work.charge,
            reason=decided.work.reason,
            minimum=None if decided.work.minimum is None else str(decided.work.minimum),
            clauses=decided.work.clause,
        ),
    )
