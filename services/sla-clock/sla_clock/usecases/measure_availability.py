"""Availability against what was agreed, per contract and month. EXP-05"""

from datetime import UTC, date, datetime, time
from uuid import UUID

from plazo.calendar import compile_calendar
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR, format_instant
from plazo.policy import Policy, calendar_of
from plazo.policy.promises import Availability
from plazo.runtime import policies
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.availability import Measured, agreed_for, measure, month_bounds
from sla_clock.domain.explanation import seconds_of_micros
from sla_clock.repository import agreements, outages
from sla_clock.repository.agreements import Agreement, Contract
from sla_clock.schemas.availability import AgreementInput, AgreementView, AvailabilityView, ConsideredOutage
from sla_clock.usecases.report_outages import outage_view

_DENOMINATOR = "seconds of service in the month, by the calendar, up to `until`; what is excluded counts as up"


class NotMeasured(PlazoError):
    """The policy does not say how availability is measured."""

    kind = Kind.CONFLICT
    code = "availability-not-measured"


async def keep_contract(uow: UnitOfWork, contract: Contract) -> None:
    """Keep what availability needs of a contract; the newest holds."""
    async with uow.begin() as tx:
        await agreements.keep_contract(tx.connection, contract, desk_id=tx.desk_id)


async def agree_availability(uow: UnitOfWork, *, body: AgreementInput, agreed_by: str) -> AgreementView:
    """Keep what is agreed from a month on. :raises NotFound: if there is no such contract"""
    async with uow.begin() as tx:
        contract = await _contract(tx.connection, body.contract_id, customer_id=None)
        agreement = Agreement(
            contract_id=contract.contract_id,
            component=body.component or "",
            since=body.since or contract.valid_from.replace(day=1),
            agreed_percent=body.agreed_percent,
            agreed_by=agreed_by,
            agreed_at=tx.now,
        )
        await agreements.save_agreement(tx.connection, agreement, desk_id=tx.desk_id)
    return _agreement_view(agreement)


async def list_agreements(
    uow: UnitOfWork, *, contract_id: UUID | None, after: tuple[UUID, str, date] | None, limit: int
) -> list[AgreementView]:
    """Return agreements by contract, component and month."""
    async with uow.read() as connection:
        found = await agreements.list_agreements(connection, contract_id=contract_id, after=after, limit=limit)
    return [_agreement_view(agreement) for agreement in found]


async def measure_availability(
    uow: UnitOfWork, *, contract_id: UUID, component: str | None, month: date, customer_id: UUID | None
) -> AvailabilityView:
    """Measure a month of a contract, or of a component of it, up to now if it is not over.

    :raises NotFound: if there is no such contract that the customer may see, or no policy in force in that month
    :raises NotMeasured: if the policy does not measure availability
    :raises InvalidInput: if the month has not begun
    """
    if not FIRST_YEAR < month.year < LAST_YEAR:
        raise _bad_month(f"expected a month in the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
    async with uow.read() as connection:
        contract = await _contract(connection, contract_id, customer_id=customer_id)
        policy, rules = await _rules(connection, contract, month)
        start, end = month_bounds(month, policy.timezone)
        if start > uow.now:
            raise _bad_month(f"the month begins at {format_instant(start)}: expected one that has begun")
        until = min(end, uow.now)
        found = await outages.list_touching(
            connection, contract_id=contract_id, component=component, start=start, until=until
        )
        percents = await agreements.agreed_percents(connection, contract_id=contract_id, component=component)
    agreed = agreed_for(month, percents)
    working = compile_calendar(calendar_of(policy, rules.calendar))
    measured = measure(found, working, start=start, until=until, excluded_causes=rules.excluded_causes)
    return AvailabilityView(
        contract_id=contract_id,
        component=component,
        month=f"{month:%Y-%m}",
        timezone=policy.timezone,
        start=start,
        until=until,
        complete=until == end,
        policy=policy.policy,
        policy_version=policy.version,
        calendar=rules.calendar,
        clauses=rules.clause,
        denominator=_DENOMINATOR,
        total_seconds=seconds_of_micros(measured.total),
        up_seconds=seconds_of_micros(measured.up),
        down_seconds=seconds_of_micros(measured.down),
        excluded_seconds=seconds_of_micros(measured.excluded),
        percentage=None if measured.percentage is None else str(measured.percentage),
        agreed_percent=None if agreed is None else str(agreed),
        met=None if agreed is None else measured.has_met(agreed),
        outages=_considered(measured),
    )


def _considered(measured: Measured) -> list[ConsideredOutage]:
    return [
        ConsideredOutage(
            **outage_view(one.outage).model_dump(), seconds=seconds_of_micros(one.length), excluded=one.excluded
        )
        for one in measured.considered
    ]


async def _contract(connection: Connection, contract_id: UUID, *, customer_id: UUID | None) -> Contract:
    contract = await agreements.find_contract(connection, contract_id)
    if contract is None or customer_id not in {None, contract.customer_id}:
        raise NotFound(f"there is no contract {contract_id} here")
    return contract


async def _rules(connection: Connection, contract: Contract, month: date) -> tuple[Policy, Availability]:
    """Return the policy version in force on the first of a month, and how it measures."""
    noon = datetime.combine(month.replace(day=1), time(12), tzinfo=UTC)  # that date nearly everywhere
    policy = await policies.policy_in_force(connection, policy=contract.policy, at=noon)
    if policy is None:
        raise NotFound(f"no version of policy {contract.policy} was in force on {month:%Y-%m}-01")
    if policy.availability is None:
        raise NotMeasured(f"policy {policy.policy} {policy.version} does not say how availability is measured")
    return policy, policy.availability


def _agreement_view(agreement: Agreement) -> AgreementView:
    return AgreementView(
        contract_id=agreement.contract_id,
        component=agreement.component or None,
        agreed_percent=str(agreement.agreed_percent),
        since=f"{agreement.since:%Y-%m}",
        agreed_by=agreement.agreed_by,
        agreed_at=agreement.agreed_at,
    )


def _bad_month(message: str) -> InvalidInput:
    return InvalidInput(message, faults=[Fault("", f"month: {message}")])
