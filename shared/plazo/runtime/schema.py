"""Which version a service's database must have, told without loading the migration tools."""

from importlib import resources

import asyncpg

_NEEDED = "SELECT version_num FROM alembic_version"


class NotMigrated(Exception):
    """The database is not yet at the version that this program needs."""


def known_revisions(service: str) -> frozenset[str]:
    """Return the revisions of all migrations of `service`: files are named `<revision>_<slug>.py`."""
    folder = resources.files(service) / "migrations" / "versions"
    return frozenset(file.name.partition("_")[0] for file in folder.iterdir() if file.name[:1].isdigit())


def needed_revision(service: str) -> str:
    """Return the revision of the newest migration of `service`."""
    return max(known_revisions(service))


async def require_migrated(connection: asyncpg.Connection | asyncpg.Pool, *, service: str) -> None:
    """Check that a database is at the version this program needs, or a later one.

    :raises NotMigrated: saying what was found
    """
    needed = needed_revision(service)
    try:
        found = await connection.fetchval(_NEEDED)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        found = None
    if found is None or found < needed:
        raise NotMigrated(
            f"the database of {service} is at version {found}, {needed} is needed: plazo migrate {service}"
        )


async def is_migrated(dsn: str, *, service: str) -> bool:
    """Tell whether the database at `dsn` is at the version this program needs."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await require_migrated(connection, service=service)
    except NotMigrated:
        return False
    finally:
        await connection.close()
    return True
