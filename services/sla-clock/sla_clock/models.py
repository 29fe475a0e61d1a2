"""The tables of sla-clock, as rows. Migrations make them; a test holds the two together."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, MetaData, Numeric, SmallInteger, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING, instant, json_column, texts


class SlaClockTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


METADATA = SlaClockTable.metadata


class Ticket(SlaClockTable, table=True):
    """What a ticket's promises are decided with; its row is the lock of everything about the ticket.

    `timezone` and `region` say where the customer is. `live` is false in a sandbox desk. It opened under
    `policy_version`; `terms_version` holds since a recomputation, if there was one. `agreed` is the JSON of what the
    contract puts before the policy.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        Index("ticket_open_idx", "desk_id", "policy", "ticket_id", postgresql_where=text("NOT is_closed")),
    )

    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    number: str = Field(sa_type=Text)
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    policy_version: str = Field(sa_type=Text)
    timezone: str | None = Field(sa_type=Text)
    region: str | None = Field(sa_type=Text)
    live: bool
    opened_at: datetime = instant()
    agreed: str | None = Field(sa_type=Text)
    terms_version: str | None = Field(sa_type=Text)
    is_closed: bool = Field(sa_column_kwargs={"server_default": text("false")})


class TicketFact(SlaClockTable, table=True):
    """Something that happened to a ticket, as `tickets` announced it under `version`. Rows are never changed.

    `part` counts what was added here behind that: a change of terms.
    """

    __tablename__ = "ticket_fact"

    ticket_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_type=BigInteger)
    desk_id: UUID
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()
    fact: dict[str, Any] = json_column()
    part: int = Field(primary_key=True, sa_column_kwargs={"server_default": text("0")})


class Clock(SlaClockTable, table=True):
    """A clock as it was last announced.

    `warned` are the thresholds announced, `version:threshold`; `version` counts the clock's promises, `revision` its
    changes. `plan` and `severity` are those of the ticket at the last change.
    """

    __tablename__ = "clock"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('acknowledgement', 'first_response', 'next_reply', 'periodic_update', 'resolution', 'agreed')",
            name="kind",
        ),
        CheckConstraint("state IN ('running', 'paused', 'breached', 'met', 'missed', 'cancelled')", name="state"),
        CheckConstraint("commitment IN ('objective', 'guarantee')", name="commitment"),
        Index("clock_ticket_id_kind_cycle_key", "ticket_id", "kind", "cycle", unique=True),
        Index("clock_list_idx", "desk_id", "started_at", "clock_id"),
    )

    clock_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    customer_id: UUID
    kind: str = Field(sa_type=Text)
    cycle: int = Field(sa_type=SmallInteger)
    state: str = Field(sa_type=Text)
    commitment: str = Field(sa_type=Text)
    target: str | None = Field(sa_type=Text)
    calendar: str | None = Field(sa_type=Text)
    clauses: list[str] = texts()
    started_at: datetime = instant()
    due_at: datetime | None = instant(nullable=True)
    stopped_at: datetime | None = instant(nullable=True)
    breached_at: datetime | None = instant(nullable=True)
    detected_at: datetime | None = instant(nullable=True)
    version: int
    revision: int
    warned: list[str] = texts()
    plan: str | None = Field(sa_type=Text)
    severity: str | None = Field(sa_type=Text)


class ClockReview(SlaClockTable, table=True):
    """What was found out about a broken promise, and what is done so that it does not happen again. IRE-19"""

    __tablename__ = "clock_review"
    __table_args__ = (Index(None, "desk_id"),)

    clock_id: UUID = Field(primary_key=True)
    desk_id: UUID
    cause: str = Field(sa_type=Text)
    corrective_action: str = Field(sa_type=Text)
    reviewed_by: str = Field(sa_type=Text)
    reviewed_at: datetime = instant()


class Timer(SlaClockTable, table=True):
    """An instant at which something is to be done about a ticket.

    Purpose `clocks`: its clocks change by themselves; there is one such row a ticket. Purpose `request`: another
    service asked for the instant, and gets `context` back. `plan` is what the instant will bring, written shortly
    before; whatever happens to the ticket until then removes it.

    State `failed`: firing it raised an error, which is in the log; the next thing that happens to the ticket arms its
    clocks again.
    """

    __tablename__ = "timer"
    __table_args__ = (
        CheckConstraint("purpose IN ('clocks', 'request')", name="purpose"),
        CheckConstraint("state IN ('armed', 'fired', 'withdrawn', 'failed')", name="state"),
        Index("timer_due_idx", "due_at", "timer_id", postgresql_where=text("state = 'armed' AND live")),
        Index("timer_desk_due_idx", "desk_id", "due_at", postgresql_where=text("state = 'armed' AND NOT live")),
        Index("timer_failed_idx", "due_at", postgresql_where=text("state = 'failed' AND live")),
        Index(
            "timer_unplanned_idx",
            "due_at",
            postgresql_where=text("state = 'armed' AND live AND purpose = 'clocks' AND plan IS NULL"),
        ),
    )

    timer_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    purpose: str = Field(sa_type=Text)
    due_at: datetime = instant()
    live: bool
    state: str = Field(sa_type=Text)
    requested_by: str | None = Field(sa_type=Text)
    context: dict[str, Any] | None = json_column(nullable=True)
    plan: dict[str, Any] | None = json_column(nullable=True)


class DeskAdvance(SlaClockTable, table=True):
    """A request to move the clock of a sandbox desk: resolved once to `target_at`, so that it can be resumed."""

    __tablename__ = "desk_advance"

    desk_id: UUID = Field(primary_key=True)
    caller: str = Field(primary_key=True, sa_type=Text)
    request_key: str = Field(primary_key=True, sa_type=Text)
    request_hash: str = Field(sa_type=Text)
    target_at: datetime = instant()
    fired: int = Field(sa_type=BigInteger)
    done: bool


class Recomputation(SlaClockTable, table=True):
    """A request to count open tickets by another version of their policy, done in the background.

    Its tickets are named as it goes, those up to `named_up_to` so far; `is_named` once all are.
    """

    __tablename__ = "recomputation"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'undoing', 'undone')", name="state"),
        Index("recomputation_list_idx", "desk_id", "recomputation_id"),
        Index(
            "recomputation_unfinished_idx",
            "desk_id",
            "policy",
            unique=True,
            postgresql_where=text("state IN ('running', 'undoing')"),
        ),
    )

    recomputation_id: UUID = Field(primary_key=True)
    desk_id: UUID
    policy: str = Field(sa_type=Text)
    from_version: str | None = Field(sa_type=Text)
    to_version: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = instant()
    state: str = Field(sa_type=Text)
    finished_at: datetime | None = instant(nullable=True)
    is_named: bool = Field(sa_column_kwargs={"server_default": text("true")})
    named_up_to: UUID | None


class RecomputedTicket(SlaClockTable, table=True):
    """A ticket that a recomputation names, and what came of it.

    `skipped`: it had been closed, or recomputed by then. `failed`: the error is in the log. `kept`: it could not be
    undone, because it had been closed, or recomputed again. `changes` are its clocks before and after,
    `before_version` what held before.
    """

    __tablename__ = "recomputed_ticket"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'applied', 'skipped', 'undoing', 'undone', 'kept', 'failed')", name="state"
        ),
        Index(
            "recomputed_ticket_waiting_idx",
            "recomputation_id",
            "ticket_id",
            postgresql_where=text("state IN ('waiting', 'undoing')"),
        ),
    )

    recomputation_id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    state: str = Field(sa_type=Text)
    before_version: str | None = Field(sa_type=Text)
    changes: list[Any] = json_column(sa_column_kwargs={"server_default": text("'[]'")})


class Contract(SlaClockTable, table=True):
    """A copy of what availability needs of a contract."""

    __tablename__ = "contract"
    __table_args__ = (Index(None, "desk_id"),)

    contract_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    valid_from: date


class AvailabilityAgreement(SlaClockTable, table=True):
    """The availability agreed for a contract from the month of `since` on. EXP-05

    `component` is empty for all of the contract.
    """

    __tablename__ = "availability_agreement"
    __table_args__ = (
        CheckConstraint("agreed_percent > 0 AND agreed_percent <= 100", name="percent"),
        Index(None, "desk_id"),
    )

    contract_id: UUID = Field(primary_key=True)
    component: str = Field(primary_key=True, sa_type=Text)
    since: date = Field(primary_key=True)
    desk_id: UUID
    agreed_percent: Decimal = Field(sa_type=Numeric)
    agreed_by: str = Field(sa_type=Text)
    agreed_at: datetime = instant()


class Outage(SlaClockTable, table=True):
    """A stretch of time in which a contract, or a component that contracts share, was out of service.

    `fingerprint` is how monitoring tells its alerts apart; `ended_at` is null while the outage lasts.
    """

    __tablename__ = "outage"
    __table_args__ = (
        CheckConstraint("contract_id IS NOT NULL OR component IS NOT NULL", name="place"),
        CheckConstraint("ended_at >= started_at", name="span"),
        Index("outage_list_idx", "desk_id", "started_at", "outage_id"),
        Index("outage_fingerprint_idx", "desk_id", "fingerprint", postgresql_where=text("ended_at IS NULL")),
    )

    outage_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID | None
    component: str | None = Field(sa_type=Text)
    cause: str | None = Field(sa_type=Text)
    planned: bool
    summary: str | None = Field(sa_type=Text)
    fingerprint: str | None = Field(sa_type=Text)
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    reported_by: str = Field(sa_type=Text)
    recorded_at: datetime = instant()
    revision: int
