"""Outages: reported by people, and by monitoring. EXP-05"""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import derived_id, new_id
from plazo.kernel.time import format_instant, parse_instant
from plazo.runtime.call import check_version
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from sla_clock.domain.availability import Outage
from sla_clock.repository import agreements, outages
from sla_clock.schemas.availability import (
    Alert,
    AlertGroup,
    AlertOutcome,
    AlertOutcomes,
    OutageChange,
    OutageClose,
    OutageInput,
    OutageView,
)


class OutageOver(PlazoError):
    """The outage has ended at another instant."""

    kind = Kind.CONFLICT
    code = "outage-over"


async def open_outage(uow: UnitOfWork, *, body: OutageInput, reported_by: str) -> OutageView:
    """Keep an outage. :raises InvalidInput: if the contract does not exist, or it ends before it starts"""
    async with uow.begin() as tx:
        if body.contract_id is not None:
            await _check_contract(tx.connection, body.contract_id)
        outage = Outage(
            outage_id=new_id(),
            contract_id=body.contract_id,
            component=body.component,
            cause=body.cause,
            planned=body.planned,
            summary=body.summary,
            fingerprint=None,
            started_at=body.started_at or tx.now,
            ended_at=body.ended_at,
            reported_by=reported_by,
            recorded_at=tx.now,
            revision=1,
        )
        _check_end(outage, body.ended_at)
        await outages.insert_outage(tx.connection, outage, desk_id=tx.desk_id)
        view = outage_view(outage)
        tx.answer = view.model_dump(mode="json")
    return view


async def close_outage(uow: UnitOfWork, outage_id: UUID, *, body: OutageClose) -> OutageView:
    """End an outage; to end it again at the same instant changes nothing.

    :raises NotFound: if there is no such outage
    :raises OutageOver: if it has ended at another instant
    :raises InvalidInput: if the end lies before its start
    """
    async with uow.begin() as tx:
        outage = await _lock(tx, outage_id)
        ended_at = body.ended_at or outage.ended_at or tx.now
        _check_end(outage, ended_at)
        # Maintenance that was planned to last longer may end earlier.
        is_over = outage.ended_at is not None and not (outage.planned and outage.ended_at > tx.now)
        if is_over and outage.ended_at is not None and ended_at != outage.ended_at:
            raise OutageOver(f"the outage ended at {format_instant(outage.ended_at)}")
        outage = await _save(tx, outage, ended_at=ended_at, cause=body.cause or outage.cause)
        view = outage_view(outage)
        tx.answer = view.model_dump(mode="json")
    return view


async def change_outage(uow: UnitOfWork, outage_id: UUID, *, body: OutageChange, if_match: str | None) -> OutageView:
    """Keep what was found out about an outage.

    :raises NotFound: if there is no such outage
    :raises StaleVersion: if it changed since the caller read it
    """
    async with uow.begin() as tx:
        outage = await _lock(tx, outage_id)
        check_version(if_match, outage.revision)
        outage = await _save(tx, outage, **body.model_dump(exclude_none=True))
    return outage_view(outage)


async def read_outage(uow: UnitOfWork, outage_id: UUID) -> OutageView:
    """Return an outage. :raises NotFound: if there is no such"""
    async with uow.read() as connection:
        outage = await outages.find_outage(connection, outage_id)
    if outage is None:
        raise _not_found(outage_id)
    return outage_view(outage)


async def list_outages(
    uow: UnitOfWork,
    *,
    contract_id: UUID | None,
    is_open: bool | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[OutageView]:
    """Return outages by start."""
    async with uow.read() as connection:
        found = await outages.list_outages(
            connection, contract_id=contract_id, is_open=is_open, after=after, limit=limit
        )
    return [outage_view(outage) for outage in found]


async def take_alerts(uow: UnitOfWork, *, body: AlertGroup, reported_by: str) -> AlertOutcomes:
    """Open and close outages as monitoring says; an alert that cannot be read does not stand before the others.

    The same alert may come any number of times, and its end before its beginning.

    :raises InvalidInput: if none of the alerts can be taken in, with the fault of each
    """
    async with uow.begin() as tx:
        items = [await _take_alert(tx, alert, reported_by=reported_by) for alert in body.alerts]
        if all(item.outcome == "refused" for item in items):
            faults = [Fault(f"/alerts/{place}", item.problem or "") for place, item in enumerate(items)]
            raise InvalidInput("no alert could be taken in", faults=faults)
        view = AlertOutcomes(items=items)
        tx.answer = view.model_dump(mode="json")
    return view


async def _take_alert(tx: Transaction, data: Any, *, reported_by: str) -> AlertOutcome:
    fingerprint = data.get("fingerprint") if isinstance(data, dict) else None
    fingerprint = fingerprint if isinstance(fingerprint, str) else None
    try:
        alert = Alert.model_validate(data)
        told = _outage_of(alert, tx, reported_by=reported_by)
        if told.contract_id is not None:
            await _check_contract(tx.connection, told.contract_id)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        problem = f"{'/'.join(str(part) for part in first['loc'])}: {first['msg'].removeprefix('Value error, ')}"
        return AlertOutcome(fingerprint=fingerprint, outcome="refused", problem=problem)
    except PlazoError as error:
        return AlertOutcome(fingerprint=fingerprint, outcome="refused", problem=error.message)
    known = await outages.lock_outage(tx.connection, told.outage_id)
    if known is None and told.ended_at is not None:
        known = await outages.lock_open_alert(tx.connection, alert.fingerprint)
    if known is None:
        await outages.insert_outage(tx.connection, told, desk_id=tx.desk_id)
        outcome = AlertOutcome(
            fingerprint=fingerprint,
            outcome="opened" if told.ended_at is None else "closed",
            outage_id=told.outage_id,
        )
    elif told.ended_at is None or known.ended_at is not None:
        outcome = AlertOutcome(fingerprint=fingerprint, outcome="known", outage_id=known.outage_id)
    else:
        await _save(tx, known, ended_at=max(told.ended_at, known.started_at))
        outcome = AlertOutcome(fingerprint=fingerprint, outcome="closed", outage_id=known.outage_id)
    return outcome


def _outage_of(alert: Alert, tx: Transaction, *, reported_by: str) -> Outage:
    """Read an alert as an outage. :raises InvalidInput: if it does not say what is out of service"""
    labels = alert.labels
    ended_at = None
    if alert.status == "resolved":
        ended_at = parse_instant(alert.ended_at) if alert.ended_at else tx.now
        if ended_at < alert.started_at:
            raise InvalidInput("endsAt: the alert ends before it starts")
    body = OutageInput.model_validate(
        {
            "contract_id": labels.get("contract_id"),
            "component": labels.get("component"),
            "cause": labels.get("cause"),
            "summary": (alert.annotations.get("summary") or labels.get("alertname") or "")[:500] or None,
        }
    )
    return Outage(
        outage_id=derived_id("outage", tx.desk_id, alert.fingerprint, format_instant(alert.started_at)),
        contract_id=body.contract_id,
        component=body.component,
        cause=body.cause,
        planned=labels.get("planned", "").lower() == "true",
        summary=body.summary,
        fingerprint=alert.fingerprint,
        started_at=alert.started_at,
        ended_at=ended_at,
        reported_by=reported_by,
        recorded_at=tx.now,
        revision=1,
    )


async def _check_contract(connection: Connection, contract_id: UUID) -> None:
    if await agreements.find_contract(connection, contract_id) is None:
        message = f"there is no contract {contract_id} in this desk"
        raise InvalidInput(message, faults=[Fault("/contract_id", message)])


def _check_end(outage: Outage, ended_at: datetime | None) -> None:
    if ended_at is not None and ended_at < outage.started_at:
        message = f"the outage started at {format_instant(outage.started_at)}: expected no end before that"
        raise InvalidInput(message, faults=[Fault("/ended_at", message)])


async def _lock(tx: Transaction, outage_id: UUID) -> Outage:
    outage = await outages.lock_outage(tx.connection, outage_id)
    if outage is None:
        raise _not_found(outage_id)
    return outage


async def _save(tx: Transaction, outage: Outage, **changes: Any) -> Outage:
    columns = ("ended_at", "cause", "planned", "summary")
    kept = {name: getattr(outage, name) for name in columns}
    return await outages.save_outage(tx.connection, outage.outage_id, **{**kept, **changes})


def outage_view(outage: Outage) -> OutageView:
    """Show an outage."""
    return OutageView(**{name: value for name, value in asdict(outage).items() if name in OutageView.model_fields})


def _not_found(outage_id: UUID) -> NotFound:
    return NotFound(f"there is no outage {outage_id} here")
