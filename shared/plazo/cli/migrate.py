"""Migrating the database of one service."""

import asyncpg

from plazo.cli.terminal import IN_THE_WAY, fail
from plazo.runtime import migrations
from plazo.runtime.secret_files import read_secret
from plazo.runtime.tls import require_postgres_tls


def run_migrations(service: str) -> None:
    """Migrate the database of a service."""
    try:
        dsn = read_secret("PLAZO_OWNER_DATABASE_URL")
        if dsn is not None:
            require_postgres_tls(dsn)
    except ValueError as error:
        fail(f"PLAZO_OWNER_DATABASE_URL: {error}", code=IN_THE_WAY)
    if dsn is None:
        fail("PLAZO_OWNER_DATABASE_URL is not set; expected the address of the database as its owner", code=IN_THE_WAY)
    try:
        migrations.upgrade_now(service, dsn=dsn)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        fail(f"the database cannot be reached: {error}", code=IN_THE_WAY)
