"""Access tokens of an OpenID Connect provider: signed by a key it publishes, for us, and not yet over.

JSON Web Tokens (RFC 7519) as RFC 8725 advises: the algorithms are ours, never the token's choice; issuer and audience
must be the ones expected. Which claim says what is a setting.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import structlog
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.inputs import is_one_line
from plazo.runtime.settings import Settings

log = structlog.get_logger(__name__)

ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")

_LONGEST_TOKEN = 8192  # characters
_LONGEST_SUBJECT = 200
_LARGEST_DOCUMENT = 262_144  # bytes of keys, or of a provider's description
_KEY_TYPES = {"RSA": "RSA", "EC": "EC", "OKP": "OKP"}  # what signs without a shared secret
_TYPES = ("jwt", "at+jwt")  # what is made for something else says so (RFC 8725, 3.11; RFC 9068)
_LEEWAY_SECONDS = 30
_FRESH_SECONDS = 600.0
_RETRY_SECONDS = 30.0  # between two looks at the provider's keys, however many tokens name an unknown one
_FETCH_SECONDS = 5.0


class TokenRefused(Exception):
    """The token is not one we accept; the message says why, without any part of the token."""


class ProviderAway(PlazoError):
    """The provider's keys were never read, and cannot be read now."""

    kind = Kind.UNAVAILABLE
    code = "identity-provider-away"


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must be, and which of its claims say what."""

    issuer: str
    audience: str
    jwks_url: str | None
    desk_claim: str = "plazo_desk"
    role_claim: str = "plazo_role"
    customer_claim: str = "plazo_customer"
    contact_claim: str = "plazo_contact"
    name_claims: tuple[str, ...] = ("name", "email")


@dataclass(frozen=True, slots=True)
class Claims:
    """What an accepted token says of its bearer."""

    subject: str
    label: str
    desk_id: UUID
    roles: tuple[str, ...]
    customer_id: UUID | None
    contact_id: UUID | None
    expires_at: datetime


class ProviderKeys:
    """The keys a provider publishes (RFC 7517), read when needed and kept while it is away."""

    def __init__(self, rules: TokenRules, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._seconds = seconds
        self._keys: dict[str | None, Any] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None) -> Any:
        """Return the key of that id; None if the provider has none.

        :raises ProviderAway: if its keys are not known
        """
        if self._is_wanting(key_id):
            async with self._lock:  # whoever comes while somebody looks waits for what is seen
                if self._is_wanting(key_id) and self._may_look():
                    await self._read()
        if self._read_at is None:
            raise ProviderAway("the keys of the identity provider cannot be read now; try again in a moment")
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _is_wanting(self, key_id: str | None) -> bool:
        is_stale = self._read_at is None or self._seconds() - self._read_at > _FRESH_SECONDS
        return is_stale or (key_id is not None and key_id not in self._keys)

    def _may_look(self) -> bool:
        return self._tried_at is None or self._seconds() - self._tried_at >= _RETRY_SECONDS

    async def _read(self) -> None:
        self._tried_at = self._seconds()
        try:
            async with httpx.AsyncClient(timeout=_FETCH_SECONDS, follow_redirects=False, trust_env=False) as client:
                url = self._rules.jwks_url or await self._discover(client)
                document = await _read_json(client, url)
            keys = _verifying_keys(document)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            # The last comes of anyio, where a connection is gone before it has looked at its socket.
            log.warning("identity_provider_away", error=f"{type(error).__name__}: {error}")
            return
        self._keys = keys
        self._read_at = self._seconds()

    async def _discover(self, client: httpx.AsyncClient) -> str:
        """Return where the provider says its keys are (OpenID Connect Discovery 1.0)."""
        document = await _read_json(client, self._rules.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != self._rules.issuer:
            raise ValueError("the provider describes itself as another issuer")
        url = str(document["jwks_uri"])
        if self._rules.issuer.startswith("https:") and not url.startswith("https:"):
            raise ValueError("the provider's keys are not behind https")
        return url


async def _read_json(client: httpx.AsyncClient, url: str) -> Any:
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"the provider answers {response.status_code}")
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _LARGEST_DOCUMENT:
                raise ValueError("the provider's answer is too large")
    return json.loads(bytes(body))


def _verifying_keys(document: Any) -> dict[str | None, Any]:
    """Return the public keys of a set by id; what is for encryption, or is a shared secret, is left out."""
    keys: dict[str | None, Any] = {}
    for one in document["keys"]:
        if one.get("kty") not in _KEY_TYPES or one.get("use", "sig") != "sig":
            continue
        try:
            keys[one.get("kid")] = jwk.import_key(one)
        except (JoseError, ValueError) as error:
            log.warning("provider_key_unusable", key_id=one.get("kid"), error=str(error))
    return keys


class AccessTokens:
    """Verifies access tokens."""

    def __init__(self, rules: TokenRules, *, keys: ProviderKeys | None = None) -> None:
        self._rules = rules
        self._keys = keys or ProviderKeys(rules)

    async def verify(self, token: str, *, now: datetime) -> Claims:
        """Return what a token says.

        :raises TokenRefused: if it is not for us, not from our provider, not now, or not readable
        :raises ProviderAway: if the provider's keys are not known
        """
        if len(token) > _LONGEST_TOKEN:
            raise TokenRefused(f"it has more than {_LONGEST_TOKEN} characters")
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            if header.get("alg") not in ALGORITHMS or "crit" in header:
                raise TokenRefused(f"expected a signature by one of {', '.join(ALGORITHMS)}")
            if str(header.get("typ", "jwt")).lower().removeprefix("application/") not in _TYPES:
                raise TokenRefused("typ: expected an access token")
            key_id = header.get("kid")
            key = await self._keys.find(key_id if isinstance(key_id, str) else None)
            if key is None:
                raise TokenRefused("the provider has no such key")
            claims = jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
            self._check(claims, now=now)
        except (JoseError, ValueError, RecursionError) as error:
            raise TokenRefused(_reason(error)) from error
        return self._read(claims)

    def _check(self, claims: dict[str, Any], *, now: datetime) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._rules.issuer},
            aud={"essential": True, "value": self._rules.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(claims)

    def _read(self, claims: dict[str, Any]) -> Claims:
        rules, subject = self._rules, claims["sub"]
        if not 1 <= len(subject) <= _LONGEST_SUBJECT or not is_one_line(subject):
            raise TokenRefused(f"sub: expected 1 to {_LONGEST_SUBJECT} characters, none of them a control character")
        desk_id = _id_of(claims, rules.desk_claim)
        if desk_id is None:
            raise TokenRefused(f"the claim {rules.desk_claim} is missing: the desk it is for")
        stated = claims.get(rules.role_claim)
        roles = stated if isinstance(stated, list) else [stated]
        try:
            expires_at = datetime.fromtimestamp(claims["exp"], tz=UTC)
        except (OverflowError, OSError, ValueError) as error:
            raise TokenRefused("exp: expected an instant") from error
        named_by = next((name for name in rules.name_claims if _is_name(claims.get(name))), "sub")
        if not is_one_line(claims[named_by]):
            raise TokenRefused(f"the claim {named_by}: expected one line, without control characters")
        return Claims(
            subject=subject,
            label=claims[named_by][:_LONGEST_SUBJECT],
            desk_id=desk_id,
            roles=tuple(one for one in roles if isinstance(one, str)),
            customer_id=_id_of(claims, rules.customer_claim),
            contact_id=_id_of(claims, rules.contact_claim),
            expires_at=expires_at,
        )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _id_of(claims: dict[str, Any], name: str) -> UUID | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenRefused(f"the claim {name} is no id of ours") from error


def _reason(error: Exception) -> str:
    """Say what is wrong in the library's words for a kind of error; its details might repeat the token."""
    if isinstance(error, JoseError):
        claim = getattr(error, "claim", None)
        return f"{error.error.replace('_', ' ')}{f' ({claim})' if claim else ''}"
    return "it cannot be read"


def access_tokens(settings: Settings) -> AccessTokens | None:
    """Return what verifies access tokens; None where no provider is set."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    rules = TokenRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        jwks_url=settings.oidc_jwks_url,
        desk_claim=settings.oidc_desk_claim,
        role_claim=settings.oidc_role_claim,
        customer_claim=settings.oidc_customer_claim,
        contact_claim=settings.oidc_contact_claim,
        name_claims=tuple(settings.oidc_name_claim.replace(",", " ").split()),
    )
    return AccessTokens(rules)
