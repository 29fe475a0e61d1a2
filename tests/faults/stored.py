"""What HTTP does not show of a desk: read from the four databases, and said in words where it cannot be so."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg

#: For each service: what may not be there, and how it is counted.
_FAULTS: Mapping[str, Mapping[str, str]] = {
    "tickets": {
        "entries of a timeline have a position twice, or leave one out": """
            SELECT FROM timeline_entry WHERE desk_id = $1
            GROUP BY ticket_id HAVING count(*) <> max(position) OR count(DISTINCT position) <> count(*)
        """,
        "files of tickets are about to be removed": """
            SELECT FROM attachment JOIN unneeded_object USING (object_key)
            WHERE attachment.desk_id = $1 AND erased_at IS NULL
        """,
        "charges are shown twice with their ticket": """
            SELECT FROM ticket_charge WHERE desk_id = $1 GROUP BY charge_id HAVING count(*) > 1
        """,
    },
    "sla_clock": {
        "timers of the past wait": """
            SELECT FROM timer WHERE desk_id = $1 AND (state = 'failed' OR (state = 'armed' AND due_at <= $2))
        """,
    },
    "escalation": {
        "messages are under way": """
            SELECT FROM message WHERE desk_id = $1 AND state = 'queued' AND next_attempt_at < now()
        """,
        "messages were not sent": "SELECT FROM message WHERE desk_id = $1 AND state IN ('failed', 'dead')",
        "messages have one cause, channel and address": """
            SELECT FROM message WHERE desk_id = $1 AND escalation_id IS NOT NULL
            GROUP BY escalation_id, position, event, channel, address HAVING count(*) > 1
        """,
        "webhooks are under way": "SELECT FROM webhook_delivery WHERE desk_id = $1 AND state <> 'delivered'",
    },
    "billing": {
        "transactions do not come to zero": """
            SELECT FROM ledger_entry WHERE desk_id = $1 GROUP BY transaction_id, counted_in HAVING sum(amount) <> 0
        """,
        "balances are not what their entries come to": """
            SELECT FROM account a LEFT JOIN ledger_entry e USING (account_id) WHERE a.desk_id = $1
            GROUP BY account_id, a.balance HAVING coalesce(sum(amount), 0) <> a.balance
        """,
        "lots have something left at their end": """
            SELECT FROM lot WHERE desk_id = $1 AND expires_at <= $2 AND remaining <> 0
        """,
    },
}
_HALF_DONE = """
SELECT idempotency_key, status FROM idempotency_key WHERE desk_id = $1 AND answer IS NULL AND status <> 204
"""


async def stored_faults(databases: Mapping[str, str], desk_id: str, *, present: object) -> list[str]:
    """Say what is stored of a desk that cannot be so at an instant of its time, once it is at rest."""
    found = []
    for service, dsn in databases.items():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            for what, sql in _FAULTS[service].items():
                arguments = [UUID(desk_id), present][: 2 if "$2" in sql else 1]
                if rows := await connection.fetch(sql, *arguments):
                    found.append(f"{service}: {len(rows)} {what}")
            half_done = await connection.fetch(_HALF_DONE, UUID(desk_id))
            found += [f"{service}: the request of key {row['idempotency_key']} was left half done" for row in half_done]
        finally:
            await connection.close()
    return found
