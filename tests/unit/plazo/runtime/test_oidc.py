"""Access tokens: only those of our provider, for us, now, and signed by a key of its own."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from integration.runtime.provider import (
    AUDIENCE,
    DESK,
    EC,
    NOW,
    OKP,
    RSA,
    STRANGER,
    Provider,
    fresh_key,
    running_provider,
)
from joserfc import jwk

from plazo.runtime.oidc import AccessTokens, ProviderAway, ProviderKeys, TokenRefused


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that is up."""
    async with running_provider() as one:
        yield one


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # in favor of Ed25519; providers still say it
@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (OKP, "Ed25519"), (OKP, "EdDSA")])
async def test_token_of_the_provider_is_read(provider: Provider, key: Any, alg: str):
    claims = await provider.tokens().verify(
        provider.token(key, alg, name="Ana", plazo_role=["staff", "agent"], aud=["x", AUDIENCE]), now=NOW
    )
    assert (claims.subject, claims.label, str(claims.desk_id)) == ("ana", "Ana", DESK)
    assert claims.roles == ("staff", "agent")
    assert claims.expires_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("named_by", "expected"),
    [
        pytest.param(("name", "email"), "Ana", id="the first that it has"),
        pytest.param(("upn", "email"), "ana@example.com", id="the next"),
        pytest.param(("upn",), "u-7", id="none: its subject"),
        pytest.param(("sub",), "u-7", id="its subject"),
        pytest.param(("blank", "number"), "u-7", id="none that is a name"),
    ],
)
async def test_claims_that_name_a_person_are_a_setting(provider: Provider, named_by: tuple[str, ...], expected: str):
    token = provider.token(sub="u-7", name="Ana", email="ana@example.com", blank=" ", number=7)
    claims = await provider.tokens(name_claims=named_by).verify(token, now=NOW)
    assert claims.label == expected


def at(minutes: float) -> int:
    return int((NOW + timedelta(minutes=minutes)).timestamp())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        pytest.param({"iss": "https://other.example.com"}, "iss", id="another issuer"),
        pytest.param({"iss": None}, "iss", id="no issuer"),
        pytest.param({"aud": "https://other.example.com"}, "aud", id="another audience"),
        pytest.param({"aud": None}, "aud", id="no audience"),
        pytest.param({"exp": at(-1)}, "expired", id="expired"),
        pytest.param({"exp": None}, "exp", id="without end"),
        pytest.param({"exp": "soon"}, "exp", id="an end that is none"),
        pytest.param({"exp": 10**30}, "exp", id="an end beyond the calendar"),
        pytest.param({"nbf": at(1)}, "nbf", id="not yet"),
        pytest.param({"iat": at(1)}, "iat", id="given out in the future"),
        pytest.param({"nbf": "soon"}, "nbf", id="a beginning that is none"),
        pytest.param({"aud": ["https://a.example.com", "https://b.example.com"]}, "aud", id="several, none ours"),
        pytest.param({"sub": None}, "sub", id="of nobody"),
        pytest.param({"sub": ""}, "sub", id="of an empty name"),
        pytest.param({"sub": "x" * 201}, "sub", id="of a long name"),
        pytest.param({"sub": "ana\n"}, "sub", id="of a name of two lines"),
        pytest.param({"name": "Ana\nadministrator: Eva"}, "claim name", id="that is called by two lines"),
        pytest.param({"name": "Ana\x1b[31m"}, "claim name", id="that is called by a control character"),
        pytest.param({"email": "ana\u2028eva"}, "claim email", id="whose address is two lines"),
        pytest.param({"plazo_desk": None}, "plazo_desk", id="of no desk"),
        pytest.param({"plazo_desk": "7"}, "plazo_desk", id="of a desk that is no id"),
        pytest.param({"plazo_customer": ["x"]}, "plazo_customer", id="of a customer that is no id"),
    ],
)
async def test_token_with_other_claims_is_refused(provider: Provider, claims: dict[str, Any], said: str):
    with pytest.raises(TokenRefused, match=said):
        await provider.tokens().verify(provider.token(**claims), now=NOW)


@pytest.mark.parametrize("claims", [{"exp": at(-0.4)}, {"nbf": at(0.4)}, {"iat": at(0.4)}], ids=str)
async def test_clocks_may_differ_by_half_a_minute(provider: Provider, claims: dict[str, Any]):
    await provider.tokens().verify(provider.token(**claims), now=NOW)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param({"typ": "logout+jwt"}, "typ", id="made for something else"),
        pytest.param({"typ": 7}, "typ", id="a type that is none"),
        pytest.param({"crit": ["b64"], "b64": False}, "RS256", id="with conditions"),
        pytest.param({"kid": "../keys"}, "no such key", id="a key by path"),
        pytest.param({"kid": ["rsa"]}, "no such key", id="a key by list"),
    ],
)
async def test_token_with_another_header_is_refused(provider: Provider, header: dict[str, Any], said: str):
    head, claims, signature = provider.token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "rsa"} | header).encode()).decode().rstrip("=")
    with pytest.raises(TokenRefused, match=said):
        await provider.tokens().verify(f"{head}.{claims}.{signature}", now=NOW)


async def test_key_that_a_token_brings_along_is_not_taken(provider: Provider):
    brought = {"jwk": STRANGER.as_dict(private=False), "jku": f"{provider.issuer}/evil", "x5u": f"{provider.issuer}/x"}
    for header in (brought, brought | {"kid": "stray"}):
        with pytest.raises(TokenRefused):
            await provider.tokens().verify(provider.token(STRANGER, header=header), now=NOW)
    assert not {"/evil", "/x"} & set(provider.asked)


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", None])
async def test_access_token_may_say_what_it_is(provider: Provider, typ: str | None):
    await provider.tokens().verify(provider.token(header={"typ": typ}), now=NOW)


def forged(provider: Provider, alg: str) -> str:
    """Return a token without a signature, or one by the public key as a shared secret."""
    claims = provider.token().split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "rsa"}).encode()).decode().rstrip("=")
    if alg == "none":
        return f"{head}.{claims}."
    digest = hmac.digest(RSA.as_pem(private=False), f"{head}.{claims}".encode(), "sha256")
    return f"{head}.{claims}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


async def test_algorithm_is_ours_to_choose(provider: Provider):
    tokens = provider.tokens()
    for token in (forged(provider, "none"), forged(provider, "HS256"), provider.token(alg="RS512")):
        with pytest.raises(TokenRefused, match="RS256"):
            await tokens.verify(token, now=NOW)
    assert provider.asked == [], "nobody was asked for the sake of these"


@pytest.mark.parametrize(
    "token",
    ["..", "a.b.c", "x" * 9000 + "..", "ñ.b.c", "eyJhbGciOiJSUzI1NiJ9..", "\x00.\x00.\x00"],
    ids=["empty", "letters", "huge", "not ASCII", "no claims", "NUL"],
)
async def test_what_is_no_token_is_refused(provider: Provider, token: str):
    with pytest.raises(TokenRefused):
        await provider.tokens().verify(token, now=NOW)


async def test_signature_of_another_is_refused(provider: Provider):
    with pytest.raises(TokenRefused, match="signature"):
        await provider.tokens().verify(provider.token(STRANGER), now=NOW)
    good = provider.token()
    head, _, signature = good.split(".")
    other = provider.token(plazo_role="administrator").split(".")[1]
    with pytest.raises(TokenRefused, match="signature"):
        await provider.tokens().verify(f"{head}.{other}.{signature}", now=NOW)
    with pytest.raises(TokenRefused):
        await provider.tokens().verify(provider.token(EC, "ES256", {"kid": "rsa"}), now=NOW)


async def test_keys_are_asked_for_once_and_again_when_one_is_unknown(provider: Provider):
    tokens = provider.tokens()
    for _ in range(3):
        await tokens.verify(provider.token(), now=NOW)
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]

    new = fresh_key("new", "EC")
    provider.keys = [new]
    with pytest.raises(TokenRefused, match="no such key"):  # asked a moment ago: not again for a token that says so
        await tokens.verify(provider.token(new, "ES256"), now=NOW)
    provider.seconds += 31
    await tokens.verify(provider.token(new, "ES256"), now=NOW)
    with pytest.raises(TokenRefused, match="no such key"):  # the key that was rotated out
        await tokens.verify(provider.token(), now=NOW)
    assert len(provider.asked) == 4


async def test_flood_of_unknown_keys_asks_once(provider: Provider):
    tokens = provider.tokens(jwks_url=f"{provider.issuer}/keys")
    stray = [provider.token(header={"kid": f"stray {number}"}) for number in range(10)]
    results = await asyncio.gather(*(tokens.verify(one, now=NOW) for one in stray), return_exceptions=True)
    assert {type(result) for result in results} == {TokenRefused}
    assert provider.asked == ["/keys"]


async def test_while_the_provider_is_away_known_keys_go_on(provider: Provider):
    tokens = provider.tokens()
    await tokens.verify(provider.token(), now=NOW)
    for status, body in (("500 Oops", b""), ("200 OK", b"{"), ("200 OK", b"[]"), ("200 OK", b" " * 300_000)):
        provider.status, provider.body = status, body
        provider.seconds += 3600
        await tokens.verify(provider.token(), now=NOW)
    assert len(provider.asked) == 6  # two, and one for each hour


async def test_provider_that_was_never_reached_is_unavailable(provider: Provider):
    provider.status = "302 Found"  # nobody is followed elsewhere
    with pytest.raises(ProviderAway):
        await provider.tokens().verify(provider.token(), now=NOW)


async def test_provider_that_calls_itself_another_is_not_believed(provider: Provider):
    rules = provider.rules()
    provider.issuer = "http://127.0.0.1:1"
    tokens = AccessTokens(rules, keys=ProviderKeys(rules, seconds=lambda: 0.0))
    with pytest.raises(ProviderAway):
        await tokens.verify(provider.token(iss=rules.issuer), now=NOW)


async def test_shared_secrets_and_keys_for_encryption_are_left_out(provider: Provider):
    secret = jwk.OctKey.generate_key(256, {"kid": "secret"})
    document = {"keys": [secret.as_dict(), RSA.as_dict(private=False) | {"use": "enc"}, {"kty": "RSA", "kid": "bad"}]}
    provider.body = json.dumps(document).encode()
    with pytest.raises(TokenRefused, match="no such key"):
        await provider.tokens(jwks_url=f"{provider.issuer}/keys").verify(provider.token(), now=NOW)
