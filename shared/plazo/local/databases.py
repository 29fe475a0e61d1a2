"""The roles and the database of each service, made by `database.sql`: the same file compose runs."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from plazo.local.errors import LocalStackError
from plazo.local.wheels import find_postgres_home

SCRIPT = Path(__file__).with_name("database.sql")


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """How each role of a service reaches its database."""

    owner: str
    app: str
    system: str


def describe(
    admin_dsn: str, *, service: str, password: Callable[[str], str], database: str | None = None
) -> DatabaseUrls:
    """Return how the roles of `service` reach its database, whether or not it is there yet."""
    admin = urlsplit(admin_dsn)
    address = f"{admin.hostname}:{admin.port}/{database or f'plazo_{service}'}"
    roles = _roles(service)
    return DatabaseUrls(**{part: f"postgresql://{role}:{password(role)}@{address}" for part, role in roles.items()})


def _roles(service: str) -> dict[str, str]:
    return {"owner": f"{service}_owner", "app": service, "system": f"{service}_system"}


async def create(
    admin_dsn: str, *, service: str, password: Callable[[str], str], database: str | None = None, replicas: int = 3
) -> DatabaseUrls:
    """Make the roles of `service` and a database for it, where missing; set what the roles may, and their passwords.

    `service` is the importable name (`sla_clock`), `database` is `plazo_<service>` unless given, `password` answers
    with the password of a role, `replicas` processes of it find connections. Safe to repeat and to run at the same time
    for several services.

    :raises LocalStackError: with PostgreSQL's words if it refuses
    """
    database = database or f"plazo_{service}"
    roles = _roles(service)
    admin = urlsplit(admin_dsn)
    environment = {
        **os.environ,
        "PGHOST": admin.hostname or "127.0.0.1",
        "PGPORT": str(admin.port or 5432),
        "PGUSER": unquote(admin.username or "postgres"),
        "PGPASSWORD": unquote(admin.password or ""),
        "PGDATABASE": admin.path.lstrip("/") or "postgres",
        "PLAZO_REPLICAS": str(replicas),
        **{f"PLAZO_{part.upper()}_PASSWORD": password(role) for part, role in roles.items()},
    }
    command = [str(find_postgres_home() / "bin" / "psql"), "--no-psqlrc", "--quiet"]
    command += ["-v", f"service={service}", "-v", f"database={database}", "--file", str(SCRIPT)]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise LocalStackError(f"cannot create the database {database}: {done.stderr.strip()}")
    return describe(admin_dsn, service=service, password=password, database=database)
