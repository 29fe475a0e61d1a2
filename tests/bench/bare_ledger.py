"""What a charge is compared with: the bare transaction that any ledger needs, and nothing that explains it."""

from uuid import UUID

import asyncpg

from plazo.kernel.ids import new_id

_TABLES = """
CREATE TABLE account (account_id uuid PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE entry (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transaction_id uuid NOT NULL,
                    account_id uuid NOT NULL, amount bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON entry (account_id, at);
CREATE TABLE event (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, data jsonb NOT NULL)
"""
_OPEN = "INSERT INTO account SELECT gen_random_uuid(), 1000000000 FROM generate_series(1, $1) RETURNING account_id"
_TAKE = "UPDATE account SET balance = balance - $2 WHERE account_id = $1"
_WRITE = "INSERT INTO entry (transaction_id, account_id, amount) VALUES ($1, $2, -$4::bigint), ($1, $3, $4::bigint)"
_TELL = "INSERT INTO event (id, data) VALUES ($1, jsonb_build_object('account', $2::uuid, 'quantity', $3::bigint))"


class BareLedger:
    """Balances with a limit, entries that add up, an event: by five round trips, as is usual."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.accounts: list[UUID] = []

    async def create(self, *, accounts: int) -> None:
        """Make the tables, and accounts with more than enough in them."""
        async with self._pool.acquire() as connection:
            await connection.execute(_TABLES)
            self.accounts = [row["account_id"] for row in await connection.fetch(_OPEN, accounts)]
            await connection.execute("VACUUM ANALYZE")

    async def charge(self, account_id: UUID, *, quantity: int) -> None:
        """Take a quantity from an account, in a transaction of its own."""
        transaction_id = new_id()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE, account_id, quantity)
            await connection.execute(_WRITE, transaction_id, account_id, self.accounts[0], quantity)
            await connection.execute(_TELL, transaction_id, account_id, quantity)
