"""Who asks: API keys and roles."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.database import Database

_PREFIX = "plz"

_LOOK_UP = """
SELECT k.key_id, k.desk_id, k.secret_hash, k.role, k.label, k.customer_id, k.contact_id, k.expires_at, k.revoked_at,
       d.clock_at, d.sandbox
FROM api_key k JOIN desk d USING (desk_id) WHERE k.key_id = $1
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
    """A known caller. `clock_at` is the present of its desk if that is a sandbox."""

    desk_id: UUID
    key_id: str
    role: Role
    label: str
    customer_id: UUID | None
    contact_id: UUID | None
    sandbox: bool
    clock_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: `token` is shown once, `secret_hash` is kept."""

    key_id: str
    token: str
    secret_hash: str


def new_key() -> NewKey:
    """Make an API key: `plz_<id>_<secret>`. Its secret has 256 bits, so a fast hash keeps it."""
    return _key(secrets.token_hex(6), secrets.token_urlsafe(32))


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
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != _PREFIX:
        raise Unauthenticated("expected the header `Authorization: Bearer plz_…` with an API key of this desk")
    return parts[1], parts[2]


async def authenticate(database: Database, *, authorization: str | None, now: datetime) -> Principal:
    """Return the caller of a request. :raises Unauthenticated: for no key, a wrong, expired or revoked one"""
    key_id, secret = parse_token(authorization)
    row = await database.system.fetchrow(_LOOK_UP, key_id)
    # The hash is compared even for an unknown id, so that the time of the answer tells nothing.
    known_hash = row["secret_hash"] if row is not None else "0" * 64
    is_right = hmac.compare_digest(secret_hash(secret), known_hash)
    if row is None or not is_right:
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
    )
