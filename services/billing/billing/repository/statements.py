"""What happened to the accounts of a contract between two instants, by effective time."""

from datetime import datetime
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection

# Amounts are put together from what came after, so that a statement of last month does not read all years before it.
_ACCOUNTS = """
SELECT a.account_id, a.name, a.kind, a.counted_in,
  (a.balance - coalesce(sum(e.amount), 0))::bigint AS opening,
  (a.balance - coalesce(sum(e.amount) FILTER (WHERE e.effective_at >= $3), 0))::bigint AS closing,
  coalesce(sum(e.amount) FILTER (WHERE e.effective_at < $3 AND t.cause = 'grant'), 0)::bigint AS granted,
  coalesce(-sum(e.amount) FILTER (WHERE e.effective_at < $3 AND t.cause <> 'grant' AND t.ticket_id IS NULL), 0)::bigint
    AS expired,
  coalesce(-sum(e.amount) FILTER (WHERE e.effective_at < $3 AND t.ticket_id IS NOT NULL), 0)::bigint AS used
FROM account a
  LEFT JOIN ledger_entry e ON e.account_id = a.account_id AND e.effective_at >= $2
  LEFT JOIN ledger_transaction t USING (transaction_id)
WHERE a.contract_id = $1 AND a.kind IN ('prepaid', 'owed')
GROUP BY a.account_id ORDER BY a.kind DESC, a.name, a.counted_in
"""
_TICKETS = """
SELECT e.account_id, t.ticket_id, k.number, -sum(e.amount)::bigint AS quantity
FROM ledger_entry e JOIN ledger_transaction t USING (transaction_id) JOIN ticket k USING (ticket_id)
WHERE e.account_id = ANY($1) AND e.effective_at >= $2 AND e.effective_at < $3
GROUP BY e.account_id, t.ticket_id, k.number, k.opened_at HAVING sum(e.amount) <> 0 ORDER BY k.opened_at, t.ticket_id
"""


async def sum_accounts(
    connection: Connection, contract_id: UUID, *, begins_at: datetime, ends_at: datetime
) -> list[asyncpg.Record]:
    """Return for each account what it held at both ends, and what was granted, expired and used between."""
    return await connection.fetch(_ACCOUNTS, contract_id, begins_at, ends_at)


async def sum_tickets(
    connection: Connection, account_ids: list[UUID], *, begins_at: datetime, ends_at: datetime
) -> list[asyncpg.Record]:
    """Return what each ticket took from accounts."""
    return await connection.fetch(_TICKETS, account_ids, begins_at, ends_at)
