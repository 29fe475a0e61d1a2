"""Who asks: API keys, access tokens of an identity provider, and roles."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.database import Connection, Database
from plazo.runtime.oidc import AccessTokens, Claims, TokenRefused

_PREFIX = "plz"

_LOOK_UP = """
SELECT k.key_id, k.desk_id, k.secret_hash, k.previous_hash, k.previous_until, k.role, k.label, k.customer_id,
       k.contact_id, k.scopes, k.expires_at, k.revoked_at, d.clock_at, d.sandbox
FROM api_key k JOIN desk d USING (desk_id) WHERE k.key_id = $1
"""
_LOOK_UP_DESK = "SELECT desk_id, sandbox, clock_at FROM desk WHERE desk_id = $1"
_IS_VALID = """
SELECT EXISTS (
  SELECT FROM api_key WHERE key_id = $1 AND revoked_at IS NULL AND coalesce(expires_at > $2, true)
  AND (secret_hash = $3 OR previous_hash = $3 AND previous_until > $2)
)
"""


class Role(StrEnum):
    """What a caller may do. A requester acts for its own customer only."""

    REQUESTER = "requester"
    AGENT = "agent"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    INTEGRATION = "integration"


STAFF = (Role.AGENT, Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)
EVERYBODY = (Role.REQUESTER, *STAFF)


class Unauthenticated(PlazoError):
    """The request carries no valid key."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"


class Forbidden(PlazoError):
    """The key is valid, but its role may not do this."""

    kind = Kind.FORBIDDEN
    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Principal:
    """A known caller. `clock_at` is the present of its desk if that is a sandbox.

    `scopes` are the services it may read or write, None for all. `valid_until` is set for an access token: its end. A
    key may be revoked or rotated at any time, and is asked for by the hash of the secret that came; `key_expires_at` is
    its end, if it has one.
    """

    desk_id: UUID
    key_id: str
    role: Role
    label: str
    customer_id: UUID | None
    contact_id: UUID | None
    sandbox: bool
    clock_at: datetime | None
    scopes: tuple[str, ...] | None = None
    valid_until: datetime | None = None
    key_expires_at: datetime | None = None
    secret_hash: str | None = field(default=None, repr=False)

    def has_scope(self, service: str, access: str) -> bool:
        """Tell whether it may `read` or `write` at a service; who may write may read."""
        name = service.replace("_", "-")
        return self.scopes is None or f"{name}:{access}" in self.scopes or f"{name}:write" in self.scopes

    def covers(self, scopes: Sequence[str] | None) -> bool:
        """Tell whether it may do all that a key with these scopes may; None are all there are."""
        if self.scopes is None or scopes is None:
            return self.scopes is None
        return all(self.has_scope(*scope.split(":")) for scope in scopes)

    def outlasts(self, expires_at: datetime | None) -> bool:
        """Tell whether its key is valid as long as one with this end; None is no end.

        An access token's own end does not count: its person is given the next one for as long as the provider wants.
        """
        return self.key_expires_at is None or (expires_at is not None and expires_at <= self.key_expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: `token` is shown once, `secret_hash` is kept."""

    key_id: str
    token: str
    secret_hash: str


def new_key(key_id: str | None = None) -> NewKey:
    """Make an API key: `plz_<id>_<secret>`. Its secret has 256 bits, so a fast hash keeps it.

    With `key_id`, make a new secret for that key.
    """
    return _key(key_id or secrets.token_hex(6), secrets.token_urlsafe(32))


def derived_key(*, from_secret: str, purpose: str) -> NewKey:
    """Return the one key that a secret gives for a purpose, so that a repeated request can be answered with it."""
    digest = hmac.digest(from_secret.encode(), purpose.encode(), "sha512")
    return _key(digest[:6].hex(), base64.urlsafe_b64encode(digest[6:38]).decode().rstrip("="))


def _key(key_id: str, secret: str) -> NewKey:
    return NewKey(key_id=key_id, token=f"{_PREFIX}_{key_id}_{secret}", secret_hash=secret_hash(secret))


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_token(authorization: str | None) -> tuple[str, str]:
    """Return key id and secret from an `Authorization` header. :raises Unauthenticated: saying what was expected"""
    scheme, _, token = (authorization or "").partition(" ")
    parts = token.strip().split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != _PREFIX or not parts[1].isalnum():
        raise Unauthenticated("expected the header `Authorization: Bearer plz_…` with an API key of this desk")
    return parts[1], parts[2]


async def authenticate(
    database: Database, *, authorization: str | None, now: datetime, tokens: AccessTokens | None = None
) -> Principal:
    """Return the caller of a request, by API key or, where there are `tokens`, by access token.

    :raises Unauthenticated: for no key, a wrong, expired or revoked one
    """
    scheme, _, token = (authorization or "").partition(" ")
    if tokens is not None and scheme.lower() == "bearer" and token.count(".") == 2:
        return await _by_token(database, tokens, token.strip(), now=now)
    key_id, secret = parse_token(authorization)
    row = await database.system.fetchrow(_LOOK_UP, key_id)
    # Hashes are compared even for an unknown id, so that the time of the answer tells nothing.
    hashes = _valid_hashes(row, now) if row is not None else ("0" * 64,)
    given = secret_hash(secret)
    is_right = [hmac.compare_digest(given, known) for known in hashes]
    if row is None or not any(is_right):
        raise Unauthenticated("the API key is not known")
    if row["revoked_at"] is not None:
        raise Unauthenticated("the API key has been revoked")
    if row["expires_at"] is not None and row["expires_at"] <= now:
        raise Unauthenticated("the API key has expired")
    return Principal(
        desk_id=row["desk_id"],
        key_id=row["key_id"],
        role=Role(row["role"]),
        label=row["label"],
        customer_id=row["customer_id"],
        contact_id=row["contact_id"],
        sandbox=row["sandbox"],
        clock_at=row["clock_at"],
        scopes=None if row["scopes"] is None else tuple(row["scopes"]),
        key_expires_at=row["expires_at"],
        secret_hash=given,
    )


def _valid_hashes(row: asyncpg.Record, now: datetime) -> Sequence[str]:
    """Return the hash of a key's secret, and of the one before while both are valid."""
    is_overlap = row["previous_until"] is not None and now < row["previous_until"]
    return (row["secret_hash"], row["previous_hash"]) if is_overlap else (row["secret_hash"],)


async def _by_token(database: Database, tokens: AccessTokens, token: str, *, now: datetime) -> Principal:
    try:
        claims = await tokens.verify(token, now=now)
        role = _role_of(claims)
    except TokenRefused as error:
        raise Unauthenticated(f"the access token is refused: {error}") from error
    desk = await database.system.fetchrow(_LOOK_UP_DESK, claims.desk_id)
    if desk is None:
        raise Unauthenticated("the access token is refused: it names no desk of this installation")
    is_requester = role is Role.REQUESTER
    return Principal(
        desk_id=claims.desk_id,
        key_id=f"oidc:{claims.subject}",
        role=role,
        label=claims.label,
        customer_id=claims.customer_id if is_requester else None,
        contact_id=claims.contact_id if is_requester else None,
        sandbox=desk["sandbox"],
        clock_at=desk["clock_at"],
        valid_until=claims.expires_at,
    )


def _role_of(claims: Claims) -> Role:
    """Return the one role that a token names. :raises TokenRefused: for none or several, a requester of no customer"""
    known = [role for role in Role if role.value in claims.roles]
    if len(known) != 1:
        raise TokenRefused(f"expected one of the roles {', '.join(Role)}, it has {len(known)}")
    if known[0] is Role.REQUESTER and claims.customer_id is None:
        raise TokenRefused("a requester's token names its customer")
    return known[0]


async def is_still_valid(connection: Connection, principal: Principal, *, now: datetime) -> bool:
    """Tell whether a caller that was let in would be let in now; asked while a stream to it lasts."""
    if principal.valid_until is not None:
        return now < principal.valid_until
    return bool(await connection.fetchval(_IS_VALID, principal.key_id, now, principal.secret_hash))
