"""A desk's own words for templates, by version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_COLUMNS = "name, version, words, published_at, published_by"
_INSERT = f"""
INSERT INTO message_template (desk_id, {_COLUMNS})
SELECT $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5 FROM message_template WHERE name = $2
RETURNING {_COLUMNS}
"""
_NEWEST = f"""
SELECT DISTINCT ON (name) {_COLUMNS} FROM message_template WHERE ($1::text IS NULL OR name = $1)
ORDER BY name, version DESC
"""
_NAMES = """
SELECT DISTINCT jsonb_object_keys(document->'templates') AS name FROM policy_version
WHERE jsonb_typeof(document->'templates') = 'object' ORDER BY 1
"""
_WITH_NAME = """
SELECT policy, version FROM policy_version WHERE document->'templates' ? $1
ORDER BY effective_from DESC, published_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version of a desk's words, by language; None where the name was given back to the policy."""

    name: str
    version: int
    words: dict[str, Any] | None
    published_at: datetime
    published_by: str


async def lock_name(tx: Transaction, name: str) -> None:
    """Let nobody else publish a version of a name until the commit."""
    await tx.connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"template:{tx.desk_id}:{name}"
    )


async def insert_version(tx: Transaction, name: str, words: dict[str, Any] | None, *, by: str) -> TemplateVersion:
    """Write the next version of a name, which must be locked."""
    row = await tx.connection.fetchrow(_INSERT, tx.desk_id, name, words, tx.now, by)
    assert row is not None
    return TemplateVersion(**row)


async def newest_version(connection: Connection, name: str) -> TemplateVersion | None:
    """Return the newest version of a name."""
    row: asyncpg.Record | None = await connection.fetchrow(_NEWEST, name)
    return None if row is None else TemplateVersion(**row)


async def newest_versions(connection: Connection) -> list[TemplateVersion]:
    """Return the newest version of each name, by name."""
    return [TemplateVersion(**row) for row in await connection.fetch(_NEWEST, None)]


async def policy_template_names(connection: Connection) -> list[str]:
    """Return the names that the policies of the desk give to templates."""
    return [row["name"] for row in await connection.fetch(_NAMES)]


async def policies_with(connection: Connection, name: str) -> list[tuple[str, str]]:
    """Return name and version of the newest policy of the desk that has a template of a name."""
    return [(row["policy"], row["version"]) for row in await connection.fetch(_WITH_NAME, name)]
