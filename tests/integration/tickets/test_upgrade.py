"""A database that was in use is brought to the chained timeline and the queue, with all that was in it."""

import json
from collections.abc import Callable
from uuid import uuid4

import asyncpg
from alembic import command
from harness import House
from sqlalchemy import Connection

from plazo.kernel.timeline_chain import verify
from plazo.runtime import migrations
from tickets.repository import timeline

DESK, TICKETS = uuid4(), [uuid4(), uuid4()]

BEFORE = """
INSERT INTO ticket (ticket_id, desk_id, number, version, state, cycle, subject, description, channel, customer_id,
  customer_name, policy, policy_version, language, given, facts, covered, clocks, admission, waits, level, opened_at)
SELECT id, $1, 'A-' || n, 1, 'new', 1, 'Impresión', 'b', 'email', $1, 'C', 'ireo', '1', 'es', '{}',
  '{"priority": "P2"}', true, true, 'not_required', '{}', 1, now() FROM unnest($2::uuid[]) WITH ORDINALITY AS t (id, n)
"""
ENTRIES = """
INSERT INTO timeline_entry (desk_id, ticket_id, occurred_at, recorded_at, kind, actor, internal, text, data)
SELECT $1, id, now(), now(), 'reply', 'agent', false, 'Hola ' || n, jsonb_build_object('n', n, 'm', 1.5)
FROM generate_series(1, 5) AS n, unnest($2::uuid[]) AS id
"""


async def test_what_was_there_is_chained_and_in_the_queue(house: House):
    urls = await house.postgres.create_database("tickets", database="plazo_tickets_before")
    dsn = urls.owner

    def upgrade_to(revision: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            command.upgrade(migrations.configuration("tickets", connection=connection), revision)

        return work

    await migrations.run_with_connection(dsn, upgrade_to("202611220003"))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(BEFORE, DESK, TICKETS)
        await connection.execute(ENTRIES, DESK, TICKETS)
        policy = '{"priorities": [{"name": "P1"}, {"name": "P2"}]}'
        await connection.execute(
            "INSERT INTO policy_version VALUES ($1, 'ireo', '1', '2020-01-01', $2::jsonb)", DESK, policy
        )
        clock = '{"state": "running", "due_at": "2026-05-04T13:00:00Z"}'
        await connection.execute(
            "INSERT INTO ticket_clock VALUES ($1, $2, $3, $4::jsonb)", uuid4(), DESK, TICKETS[0], clock
        )

        await migrations.run_with_connection(dsn, upgrade_to("head"))

        await connection.set_type_codec("jsonb", encoder=str, decoder=json.loads, schema="pg_catalog")
        for ticket_id in TICKETS:
            entries = [entry async for entry in timeline.read_chain(connection, ticket_id)]
            verdict = verify(ticket_id, entries, head=await timeline.find_head(connection, ticket_id))
            assert (verdict.entries, verdict.reason) == (5, None)
        rows = await connection.fetch(
            "SELECT queue_rank, next_due_at, words @@ search_query('impresion') AS found FROM ticket ORDER BY number"
        )
        assert [row["queue_rank"] for row in rows] == [2, 2]
        assert [row["next_due_at"].year for row in rows] == [2026, 2199]
        assert all(row["found"] for row in rows)
    finally:
        await connection.close()
