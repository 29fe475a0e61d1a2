"""Alembic, run from code: each service has its own migrations and its own database.

Every service's first migration makes the tables of :mod:`plazo.runtime.tables` by :func:`runtime_tables_v1`; a later
change of theirs is a `_v2` beside it, never an edit.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from plazo.runtime.tables import RuntimeTable

_LOCK = 0x6D696772  # "migr": one migration at a time in a database
# A change of a table queues behind whoever uses it, and everybody else queues behind the change.
_LOCK_MILLISECONDS = 500
_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 300.0
_LOCKED = ("55P03", "40P01")  # lock_not_available, deadlock_detected

RUNTIME_TABLES_V1 = """
CREATE FUNCTION current_desk() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('plazo.desk', true), '')::uuid $$;

CREATE TABLE desk (
  desk_id uuid CONSTRAINT desk_pkey PRIMARY KEY,
  name text NOT NULL,
  sandbox boolean NOT NULL,
  timezone text NOT NULL,
  clock_at timestamptz
);

CREATE TABLE api_key (
  key_id text CONSTRAINT api_key_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  secret_hash text NOT NULL,
  role text NOT NULL,
  label text NOT NULL,
  customer_id uuid,
  contact_id uuid,
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_key_desk_id_idx ON api_key (desk_id);

CREATE TABLE policy_version (
  desk_id uuid NOT NULL,
  policy text NOT NULL,
  version text NOT NULL,
  effective_from date NOT NULL,
  document jsonb NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT policy_version_pkey PRIMARY KEY (desk_id, policy, version)
);

CREATE TABLE outbox_version (
  aggregate_id uuid CONSTRAINT outbox_version_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  version bigint NOT NULL
);
CREATE INDEX outbox_version_desk_id_idx ON outbox_version (desk_id);

CREATE TABLE outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
  id uuid NOT NULL,
  desk_id uuid NOT NULL,
  aggregate_id uuid NOT NULL,
  aggregate_version bigint NOT NULL,
  type text NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  correlation_id uuid NOT NULL,
  causation_id uuid,
  traceparent text,
  data jsonb NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  published_at timestamptz
);
CREATE INDEX outbox_unpublished_idx ON outbox (seq) WHERE published_at IS NULL;
CREATE UNIQUE INDEX outbox_aggregate_idx ON outbox (aggregate_id, aggregate_version);
CREATE UNIQUE INDEX outbox_id_idx ON outbox (id);

CREATE TABLE inbox_position (
  producer text NOT NULL,
  aggregate_id uuid NOT NULL,
  desk_id uuid NOT NULL,
  version bigint NOT NULL,
  event_id uuid NOT NULL,
  CONSTRAINT inbox_position_pkey PRIMARY KEY (producer, aggregate_id)
);
CREATE INDEX inbox_position_desk_id_idx ON inbox_position (desk_id);

CREATE TABLE inbox_waiting (
  producer text NOT NULL,
  aggregate_id uuid NOT NULL,
  aggregate_version bigint NOT NULL,
  desk_id uuid NOT NULL,
  envelope jsonb NOT NULL,
  CONSTRAINT inbox_waiting_pkey PRIMARY KEY (producer, aggregate_id, aggregate_version)
);

CREATE TABLE dead_letter (
  event_id uuid CONSTRAINT dead_letter_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  producer text NOT NULL,
  aggregate_id uuid NOT NULL,
  aggregate_version bigint NOT NULL,
  type text NOT NULL,
  envelope jsonb NOT NULL,
  reason text NOT NULL,
  failures integer NOT NULL DEFAULT 1,
  state text NOT NULL DEFAULT 'open'
    CONSTRAINT dead_letter_state_check CHECK (state IN ('open', 'replayed', 'discarded')),
  failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at timestamptz
);
CREATE INDEX dead_letter_desk_id_state_idx ON dead_letter (desk_id, state);

CREATE TABLE malformed_message (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT malformed_message_pkey PRIMARY KEY,
  producer text NOT NULL,
  headers jsonb NOT NULL,
  body bytea NOT NULL,
  reason text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE idempotency_key (
  desk_id uuid NOT NULL,
  key_id text NOT NULL,
  idempotency_key text NOT NULL,
  request_hash text NOT NULL,
  status integer NOT NULL,
  answer jsonb,
  answered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT idempotency_key_pkey PRIMARY KEY (desk_id, key_id, idempotency_key)
)
"""

RUNTIME_TABLES_V2 = """
ALTER TABLE api_key
  ADD COLUMN scopes text[],
  ADD COLUMN previous_hash text,
  ADD COLUMN previous_until timestamptz,
  ADD COLUMN last_used_at timestamptz;

CREATE TABLE administrative_act (
  seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT administrative_act_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  role text NOT NULL,
  label text NOT NULL,
  key_id text NOT NULL,
  action text NOT NULL,
  request text NOT NULL,
  subject jsonb NOT NULL,
  fields text[] NOT NULL,
  request_id text
);
CREATE INDEX administrative_act_desk_id_seq_idx ON administrative_act (desk_id, seq)
"""

RUNTIME_TABLES_V3 = """
CREATE TABLE outbox_stream (
  one boolean NOT NULL DEFAULT true
    CONSTRAINT outbox_stream_pkey PRIMARY KEY CONSTRAINT outbox_stream_one_check CHECK (one),
  name text NOT NULL,
  last_seq bigint NOT NULL
);

CREATE TABLE inbox_stream (
  producer text CONSTRAINT inbox_stream_pkey PRIMARY KEY,
  name text NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

_RUNTIME_RIGHTS = {
    "desk": "SELECT, INSERT, UPDATE",
    "api_key": "SELECT, INSERT, UPDATE",
    "policy_version": "SELECT, INSERT",
    "outbox_version": "SELECT, INSERT, UPDATE",
    "outbox": "SELECT, INSERT",
    "inbox_position": "SELECT, INSERT, UPDATE",
    "inbox_waiting": "SELECT, INSERT, DELETE",
    "dead_letter": "SELECT, INSERT, UPDATE",
    "idempotency_key": "SELECT, INSERT, UPDATE",
}


def statements(script: str) -> Iterable[str]:
    """Return the statements of an SQL script; a statement ends with a semicolon at the end of a line."""
    return (part for part in (piece.strip() for piece in script.split(";\n")) if part)


def protect(service: str, table: str, *, rights: str) -> Iterable[str]:
    """Return the statements that wall a table off by desk.

    The service's own role gets `rights`, on rows of the desk that its transaction names; its system role gets all,
    on every row. Neither owns the table.
    """
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"GRANT {rights} ON {table} TO {service}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {service}_system",
        (
            f"CREATE POLICY desk ON {table} TO {service} "
            "USING (desk_id = current_desk()) WITH CHECK (desk_id = current_desk())"
        ),
        f"CREATE POLICY system ON {table} TO {service}_system USING (true) WITH CHECK (true)",
    )


def runtime_tables_v1(service: str) -> Iterable[str]:
    """Return the statements that make the runtime's tables in the database of `service`."""
    yield from statements(RUNTIME_TABLES_V1)
    for table, rights in _RUNTIME_RIGHTS.items():
        yield from protect(service, table, rights=rights)
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON malformed_message TO {service}_system"
    yield f"GRANT SELECT ON alembic_version TO {service}_system"


def runtime_tables_v2(service: str) -> Iterable[str]:
    """Return the statements that add rotated, scoped keys and the record of administrative acts, which only grows."""
    yield from statements(RUNTIME_TABLES_V2)
    yield from protect(service, "administrative_act", rights="SELECT, INSERT")
    yield f"REVOKE UPDATE, DELETE ON administrative_act FROM {service}_system"


def runtime_tables_v3(service: str) -> Iterable[str]:
    """Return the statements that let a service know the streams it writes and reads, to see that one was lost."""
    yield from statements(RUNTIME_TABLES_V3)
    for table in ("outbox_stream", "inbox_stream"):
        yield f"GRANT SELECT, INSERT, UPDATE ON {table} TO {service}_system"


def runtime_tables_v4(_service: str) -> Iterable[str]:
    """Return the statements that let the record of administrative acts say from where."""
    yield "ALTER TABLE administrative_act ADD COLUMN address text"


def runtime_tables_v5(_service: str) -> Iterable[str]:
    """Return the statements that let an event say what its announcer had taken in."""
    yield "ALTER TABLE outbox ADD COLUMN taken_in jsonb"


def only_grows(service: str, *tables: str) -> Iterable[str]:
    """Return the statements that let the system role add to `tables` and to the outbox, and change nothing in them.

    Of an event in the outbox it says when the bus had it.
    """
    for table in ("outbox", *tables):
        yield f"REVOKE UPDATE, DELETE ON {table} FROM {service}_system"
    yield f"GRANT UPDATE (published_at) ON outbox TO {service}_system"


def run_environment(context: Any, metadata: MetaData) -> None:
    """Be the `env.py` of a service: run the migrations on the connection that :func:`upgrade` opened.

    `context` is the module `alembic.context`, which is the current environment.
    """
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=[RuntimeTable.metadata, metadata],
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def configuration(service: str, **attributes: Any) -> Config:
    """Return Alembic's configuration for the migrations of `service`."""
    config = Config()
    config.set_main_option("script_location", f"{service}:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


async def run_with_connection(dsn: str, work: Any) -> Any:
    """Run synchronous `work(connection)` on a connection to `dsn`, in one transaction."""
    engine = _engine(dsn)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _engine(dsn: str) -> AsyncEngine:
    async def connect(*_: Any, **__: Any) -> asyncpg.Connection:
        return await asyncpg.connect(dsn)  # which reads `sslmode` and its like as the services do

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)


async def upgrade(service: str, *, dsn: str, to: str = "head") -> None:
    """Bring the database of `service` to the version `to`, the newest, each migration in a transaction of its own.

    Safe to run at once from several places, and while the service answers: a migration that does not get a lock soon
    lets those behind it through, and tries again for five minutes.

    :raises sqlalchemy.exc.DBAPIError: if a lock is never free, or a statement fails
    """

    def work(connection: Connection) -> None:
        command.upgrade(configuration(service, connection=connection), to)

    engine = _engine(dsn)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET lock_timeout = '10min'"))
            await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))  # until this connection is closed
            await connection.execute(text(f"SET lock_timeout = {_LOCK_MILLISECONDS}"))
            await connection.commit()
            await _climb(connection, work)
    finally:
        await engine.dispose()


async def _climb(connection: AsyncConnection, work: Callable[[Connection], None]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while True:
        try:
            await connection.run_sync(work)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCKED or loop.time() > deadline:
                raise
            await connection.rollback()
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            await connection.commit()
            return


def upgrade_now(service: str, *, dsn: str) -> None:
    """Run :func:`upgrade` from code that has no event loop."""
    asyncio.run(upgrade(service, dsn=dsn))
