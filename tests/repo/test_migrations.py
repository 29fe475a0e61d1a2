"""A migration expands: the version before it goes on working beside it, and no table is locked for long.

What contracts (drops, renames, narrows) comes one release later, when no process of the old version runs any more.
"""

import importlib.util
import re
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from plazo.events.envelope import SERVICES

# What the process of the version before would stumble over, or what reads or writes a whole table under its lock.
RULES = {
    "drops": r"\bDROP (?!CONSTRAINT|POLICY|TRIGGER|INDEX|NOT NULL|EXPRESSION|IDENTITY)\w+|^TRUNCATE\b",
    "renames": r"\bRENAME\b",
    "changes a type": r"\bALTER (COLUMN )?\w+ (SET DATA )?TYPE\b",
    "requires a value": r"\bSET NOT NULL\b|\bADD (?!CONSTRAINT)(?![^,;]*\b(DEFAULT|GENERATED)\b)[^,;]*\bNOT NULL\b",
    "rewrites": r"\bADD [^,;]*(GENERATED ALWAYS AS .* STORED|DEFAULT (gen_random_uuid|clock_timestamp|random))",
    "checks all rows": r"\bADD (?!.*\bNOT VALID\b).*\b(CHECK|FOREIGN KEY|REFERENCES)\b",
    "locks for an index": r"\b(CREATE (UNIQUE )?|DROP )INDEX (?!CONCURRENTLY)",
    "locks for a key": r"\bADD (?!.*\bUSING INDEX\b).*\b(UNIQUE|PRIMARY KEY|EXCLUDE)\b",
    "changes all rows": r"^(UPDATE|DELETE)\b",
    "takes rights away": r"^REVOKE\b",
}

# Versions up to here were never in anybody's production, so nobody ran them under load. Nothing is added to this list:
# what a later migration needs is done in steps (an index CONCURRENTLY in an autocommit block, a check NOT VALID and
# validated afterwards, rows filled in batches by the service, a drop one release later).
BEFORE_THE_FIRST_RELEASE = {
    ("tickets", "202611220005"),
    ("sla_clock", "202611220004"),
    ("escalation", "202611220004"),
    ("billing", "202611220003"),
}

# Rules that a migration may break, by the name of its file, and why that hurts nobody.
HARMLESS = {
    ("only_grows", "takes rights away"): "no version has used them; what the relay marks is granted anew",
}


class Recorder:
    """Stands for Alembic's operations, and for a connection that finds nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def execute(self, statement: Any, *_: Any) -> "Recorder":
        self.said.append(str(statement))
        return self

    def get_bind(self) -> "Recorder":
        return self

    def all(self) -> list[Any]:
        return []

    def get_context(self) -> "Recorder":
        return self

    def autocommit_block(self) -> Any:
        return nullcontext()


def statements_of(path: Path) -> list[str]:
    """Return the statements that a migration would execute, white space made one."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module, recorder = importlib.util.module_from_spec(spec), Recorder()
    spec.loader.exec_module(module)
    module.op = recorder  # type: ignore[attr-defined]
    module.upgrade()
    return [" ".join(statement.split()) for statement in recorder.said]


def faults(said: list[str]) -> list[str]:
    """Return what breaks a rule; a table that the migration itself makes is empty, and nobody uses it yet."""
    made = {match[1] for statement in said if (match := re.match(r"CREATE (?:TABLE|FUNCTION) (\w+)", statement))}
    found = []
    for statement in said:
        if re.match(r"CREATE (TABLE|(OR REPLACE )?FUNCTION)\b", statement):
            continue
        if re.search(rf"\b(ON|TABLE|UPDATE|INTO|FUNCTION) ({'|'.join(made) or '-'})\b", statement):
            continue
        broken = (rule for rule, pattern in RULES.items() if re.search(pattern, statement, re.IGNORECASE))
        found += [f"{rule}: {statement[:90]}" for rule in broken]
    return found


def migrations() -> list[tuple[str, Path]]:
    """Return the migrations of all services that are to keep the rules, oldest first."""
    return [
        (service, path)
        for service in SERVICES
        for path in sorted(Path(str(resources.files(service) / "migrations" / "versions")).glob("[0-9]*.py"))
        if path.name.partition("_")[0] > dict(BEFORE_THE_FIRST_RELEASE)[service]
    ]


@pytest.mark.parametrize(("service", "path"), migrations(), ids=lambda value: getattr(value, "stem", value))
def test_a_migration_only_expands(service: str, path: Path) -> None:
    name = path.stem.partition("_")[2]
    assert [fault for fault in faults(statements_of(path)) if (name, fault.partition(":")[0]) not in HARMLESS] == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE ticket DROP COLUMN subject", "drops"),
        ("ALTER TABLE ticket DROP subject", "drops"),
        ("ALTER TABLE ticket ALTER COLUMN tries DROP DEFAULT", "drops"),
        ("drop table ticket", "drops"),
        ("DROP FUNCTION current_desk()", "drops"),
        ("TRUNCATE ticket", "drops"),
        ("ALTER TABLE ticket RENAME COLUMN subject TO title", "renames"),
        ("ALTER TABLE ticket ALTER COLUMN level TYPE bigint", "changes a type"),
        ("ALTER TABLE ticket ALTER COLUMN team SET NOT NULL", "requires a value"),
        ("ALTER TABLE ticket ADD COLUMN team text NOT NULL", "requires a value"),
        ("ALTER TABLE ticket ADD team text NOT NULL", "requires a value"),
        ("ALTER TABLE ticket ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid()", "rewrites"),
        ("ALTER TABLE ticket ADD COLUMN p text GENERATED ALWAYS AS (facts ->> 'p') STORED", "rewrites"),
        ("ALTER TABLE ticket ADD CONSTRAINT c CHECK (level > 0)", "checks all rows"),
        ("ALTER TABLE ticket ADD COLUMN team uuid REFERENCES team", "checks all rows"),
        ("CREATE INDEX i ON ticket (team)", "locks for an index"),
        ("DROP INDEX i", "locks for an index"),
        ("ALTER TABLE ticket ADD CONSTRAINT u UNIQUE (team)", "locks for a key"),
        ("UPDATE ticket SET level = 1", "changes all rows"),
        ("REVOKE UPDATE ON ticket FROM tickets", "takes rights away"),
        ("ALTER TABLE ticket ADD COLUMN note text", None),
        ("ALTER TABLE ticket ADD COLUMN tries integer NOT NULL DEFAULT 0", None),
        ("ALTER TABLE ticket ADD CONSTRAINT c CHECK (level > 0) NOT VALID", None),
        ("CREATE INDEX CONCURRENTLY i ON ticket (team)", None),
        ("ALTER TABLE ticket ADD CONSTRAINT u UNIQUE USING INDEX i", None),
        ("ALTER TABLE ticket ALTER COLUMN team DROP NOT NULL", None),
        ("ALTER TABLE ticket DROP CONSTRAINT c", None),
        ("CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$", None),
    ],
)
def test_the_rules_find_what_they_are_for(statement: str, rule: str | None) -> None:
    assert [found.partition(":")[0] for found in faults([statement])] == ([rule] if rule else [])


def test_an_empty_table_may_get_an_index() -> None:
    assert faults(["CREATE TABLE note (id uuid)", "CREATE INDEX i ON note (id)"]) == []
