"""Migrating the database of one service."""

import os

from plazo.cli.terminal import IN_THE_WAY, fail
from plazo.runtime import migrations


def run_migrations(service: str) -> None:
    """Migrate the database of a service."""
    dsn = os.environ.get("PLAZO_OWNER_DATABASE_URL")
    if not dsn:
        fail("PLAZO_OWNER_DATABASE_URL is not set; expected the address of the database as its owner", code=IN_THE_WAY)
    try:
        migrations.upgrade_now(service, dsn=dsn)
    except OSError as error:
        fail(f"the database cannot be reached: {error}", code=IN_THE_WAY)
