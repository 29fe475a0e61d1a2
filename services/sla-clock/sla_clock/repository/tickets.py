"""Tickets, what happened to them, and the terms they are under."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter

from plazo.policy import AgreedTerms, Policy, place_of
from plazo.runtime.database import Connection
from plazo.runtime.inbox import NotYet
from sla_clock.domain.facts import Closed, Fact, Reopened, TermsChanged, What
from sla_clock.domain.terms import Terms

_WHAT: TypeAdapter[What] = TypeAdapter(Annotated[What, Field(discriminator="kind")])

_COLUMNS = "ticket_id, desk_id, number, customer_id, policy, policy_version, timezone, region, live, opened_at, agreed"
_TICKET = f"{_COLUMNS}, terms_version, is_closed"
_INSERT_TICKET = f"""
INSERT INTO ticket ({_COLUMNS})
SELECT $1, desk_id, $3, $4, $5, $6, $7, $8, NOT sandbox, $9, $10 FROM desk WHERE desk_id = $2
ON CONFLICT DO NOTHING
"""  # column names
_FIND = f"SELECT {_TICKET} FROM ticket WHERE ticket_id = $1"
_LOCK = f"{_FIND} FOR UPDATE"
_INSERT_FACT = """
INSERT INTO ticket_fact (ticket_id, version, part, desk_id, occurred_at, recorded_at, fact)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
_CLOSE = "UPDATE ticket SET is_closed = $2 WHERE ticket_id = $1 AND is_closed <> $2"
_CHANGE_TERMS = """
WITH changed AS (UPDATE ticket SET terms_version = $2 WHERE ticket_id = ANY($1))
INSERT INTO ticket_fact (ticket_id, version, part, desk_id, occurred_at, recorded_at, fact)
SELECT DISTINCT ON (ticket_id) ticket_id, version, part + 1, desk_id, $3::timestamptz, $3, $4::jsonb
FROM ticket_fact WHERE ticket_id = ANY($1) ORDER BY ticket_id, version DESC, part DESC
"""
_FACTS = "SELECT ticket_id, version, part, occurred_at, fact FROM ticket_fact WHERE ticket_id = ANY($1)"
_POLICY = "SELECT document FROM policy_version WHERE desk_id = $1 AND policy = $2 AND version = $3"

_MOST_TERMS = 1024
_terms: OrderedDict[tuple[Any, ...], Terms] = OrderedDict()
_policies: OrderedDict[tuple[UUID, str, str], Policy] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as far as its clocks need it.

    It opened under `policy_version`; `terms_version` is the one that holds since a recomputation, if there was one.
    `agreed` are the terms of its contract that go before both, as JSON.
    """

    ticket_id: UUID
    desk_id: UUID
    number: str
    customer_id: UUID
    policy: str
    policy_version: str
    timezone: str | None
    region: str | None
    live: bool
    opened_at: datetime
    agreed: str | None
    terms_version: str | None
    is_closed: bool

    @property
    def version_in_force(self) -> str:
        """The version of its policy that decides what happens next."""
        return self.terms_version or self.policy_version


def row_to_ticket(row: Any) -> Ticket:
    """Read a ticket from the columns of a row."""
    return Ticket(**{name: row[name] for name in Ticket.__slots__})


async def insert_ticket(
    connection: Connection,
    *,
    ticket_id: UUID,
    desk_id: UUID,
    number: str,
    customer_id: UUID,
    policy: str,
    policy_version: str,
    timezone: str | None,
    region: str | None,
    opened_at: datetime,
    agreed: AgreedTerms | None,
) -> None:
    """Write a new ticket. :raises NotYet: if the desk is not known yet"""
    tag = await connection.execute(
        _INSERT_TICKET,
        ticket_id,
        desk_id,
        number,
        customer_id,
        policy,
        policy_version,
        timezone,
        region,
        opened_at,
        agreed.model_dump_json(exclude_defaults=True) if agreed else None,
    )
    if str(tag) != "INSERT 0 1" and await find_ticket(connection, ticket_id) is None:
        raise NotYet(f"desk {desk_id}")


async def find_ticket(connection: Connection, ticket_id: UUID) -> Ticket | None:
    """Return a ticket, None if there is no such in the desk."""
    row = await connection.fetchrow(_FIND, ticket_id)
    return None if row is None else row_to_ticket(row)


async def lock_ticket(connection: Connection, ticket_id: UUID) -> Ticket:
    """Return a ticket, locked to the end of the transaction. :raises NotYet: if its opening has not come yet"""
    row = await connection.fetchrow(_LOCK, ticket_id)
    if row is None:
        raise NotYet(f"ticket {ticket_id}")
    return row_to_ticket(row)


async def insert_fact(connection: Connection, ticket: Ticket, fact: Fact, *, recorded_at: datetime) -> None:
    """Add what happened to a ticket; once, however often it is said."""
    await connection.execute(_INSERT_FACT, *_fact_columns(ticket, fact, recorded_at))
    if isinstance(fact.what, Closed | Reopened):
        await connection.execute(_CLOSE, ticket.ticket_id, isinstance(fact.what, Closed))


def _fact_columns(ticket: Ticket, fact: Fact, recorded_at: datetime) -> tuple[Any, ...]:
    what = _WHAT.dump_python(fact.what, mode="json")
    return ticket.ticket_id, fact.version, fact.part, ticket.desk_id, fact.occurred_at, recorded_at, what


async def change_terms(connection: Connection, ticket_ids: Sequence[UUID], *, version: str, at: datetime) -> None:
    """Let a version of their policy hold for tickets from `at` on, as a fact after all that is known of each."""
    what = _WHAT.dump_python(TermsChanged(version), mode="json")
    await connection.execute(_CHANGE_TERMS, ticket_ids, version, at, what)


async def load_facts(connection: Connection, ticket_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
    """Return all that happened to tickets."""
    facts: dict[UUID, list[Fact]] = defaultdict(list)
    for row in await connection.fetch(_FACTS, ticket_ids):
        what = _WHAT.validate_python(row["fact"])
        facts[row["ticket_id"]].append(Fact(row["occurred_at"], row["version"], what, row["part"]))
    return facts


async def terms_of(connection: Connection, ticket: Ticket, *, version: str | None = None) -> Terms:
    """Return the terms of a ticket: a version of its policy, or the one it opened under, where its customer is.

    A published version never changes, so it is read once. :raises NotYet: if its publication has not come yet
    """
    version = version or ticket.policy_version
    key = (ticket.desk_id, ticket.policy, version, ticket.timezone, ticket.region, ticket.agreed)
    terms = _terms.get(key)
    if terms is None:
        policy = await known_policy(connection, ticket.desk_id, ticket.policy, version)
        agreed = AgreedTerms.model_validate_json(ticket.agreed) if ticket.agreed else None
        place = place_of(policy, timezone=ticket.timezone, region=ticket.region)
        terms = _terms[key] = Terms(policy, place, agreed)
        if len(_terms) > _MOST_TERMS:
            _terms.popitem(last=False)
    _terms.move_to_end(key)
    return terms


async def later_terms(connection: Connection, ticket: Ticket, facts: Sequence[Fact]) -> dict[str, Terms]:
    """Return by version the terms that a ticket's facts name. :raises NotYet: as :func:`terms_of`"""
    if ticket.terms_version is None:
        return {}
    named = {fact.what.version for fact in facts if isinstance(fact.what, TermsChanged)}
    return {version: await terms_of(connection, ticket, version=version) for version in named}


async def known_policy(connection: Connection, desk_id: UUID, policy: str, version: str) -> Policy:
    """Return a policy version of a desk. :raises NotYet: if its publication has not come yet"""
    key = (desk_id, policy, version)
    if key not in _policies:
        document = await connection.fetchval(_POLICY, *key)
        if document is None:
            raise NotYet(f"policy {policy} {version}")
        _policies[key] = Policy.model_validate(document)
        if len(_policies) > _MOST_TERMS:
            _policies.popitem(last=False)
    return _policies[key]
