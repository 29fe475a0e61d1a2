"""Small texts of strangers: cursors, lengths, quantities, instants, signatures, links, tokens, events of the bus."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fuzz.bounds import damaged, examples, outcome
from hypothesis import given
from hypothesis import strategies as st
from integration.runtime.provider import EC, RSA, Provider

from escalation.domain.links import Link, LinkInvalid, read_link, sign_link
from plazo.calendar import compile_calendar, parse_calendar
from plazo.calendar.target import parse_target
from plazo.events.envelope import Envelope
from plazo.kernel.errors import InvalidInput
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR, format_instant, parse_instant
from plazo.money.quantity import format_minutes, parse_minutes, parse_quantity
from plazo.runtime.bus import MalformedEvent, event_headers, parse_event
from plazo.runtime.identity import Unauthenticated, parse_token
from plazo.runtime.oidc import AccessTokens, Claims, TokenRefused, TokenRules
from plazo.runtime.pagination import encode_cursor, position
from plazo.runtime.signatures import SignatureInvalid, new_secret, sign, verify
from sla_clock.routes.clocks import _preferred
from tickets.usecases.streaming import Cursor

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)
ID = UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01")
SHAPES = st.sampled_from([(datetime, UUID), (int,), (str,), (int, int), (datetime,)])
BASE64 = st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
SOME_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.just("2026-05-04T13:00:00Z")
    | st.just(str(ID)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@examples(60)
@given(
    st.text(max_size=40) | BASE64 | SOME_JSON.map(lambda one: base64.b64encode(json.dumps(one).encode()).decode()),
    SHAPES,
)
def test_cursor_of_a_list_is_keys_or_refused(text: str, shape: tuple[type, ...]):
    keys = outcome(lambda: position(text, *shape), InvalidInput)
    if keys is not None:
        assert len(keys) == len(shape)
        assert all(isinstance(key, kind) for key, kind in zip(keys, shape, strict=True))
        assert all(-(2**63) <= key < 2**63 for key in keys if isinstance(key, int))
        assert all("\x00" not in key for key in keys if isinstance(key, str))
        assert position(encode_cursor(keys), *shape) == keys


@examples(40)
@given(st.text(max_size=50) | st.tuples(st.integers(), st.integers()).map(lambda two: f"{two[0]}-{two[1]}"))
def test_cursor_of_the_stream_is_one_or_refused(text: str):
    cursor = outcome(lambda: Cursor.parse(text), InvalidInput)
    if cursor is not None:
        assert Cursor.parse(str(cursor)) == cursor
        assert max(cursor.transaction_id, cursor.seq) < 2**63


LENGTHS = st.text(alphabet="0123456789hms day_businessunitwork²٣.-+", max_size=20) | st.integers().map("{}h".format)


@examples(60)
@given(LENGTHS)
def test_length_is_read_back_or_refused(text: str):
    target = outcome(lambda: parse_target(text), InvalidInput)
    if target is not None:
        assert parse_target(str(target)) == target
    minutes = outcome(lambda: parse_minutes(text), ValueError)
    if minutes is not None:
        assert parse_minutes(format_minutes(minutes).replace(" ", "").replace("min", "m")) == minutes
    quantity = outcome(lambda: parse_quantity(text, unit_minutes=60), ValueError)
    assert quantity is None or 0 <= quantity < 10**12


INSTANTS = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | st.text(
    alphabet="0123456789-:TZ+.٣ ", max_size=35
)


@examples(60)
@given(INSTANTS)
def test_instant_is_read_back_or_refused(text: str):
    instant = outcome(lambda: parse_instant(text), InvalidInput)
    if instant is not None:
        assert FIRST_YEAR <= instant.year <= LAST_YEAR
        assert parse_instant(format_instant(instant)) == instant


@examples(40)
@given(st.text(max_size=60) | st.text(alphabet="es,en;q=0.9* -", max_size=200))
def test_language_is_ours_or_none(header: str):
    assert outcome(lambda: _preferred(header) or "none") in ("es", "en", "none")


HOURS = st.text(alphabet="0123456789:-24x", max_size=12) | st.sampled_from(
    ["09:00-17:30", "24x7", "25:00-26:00", "17:00-09:00"]
)


@examples(60)
@given(
    zone=st.text(max_size=20) | st.sampled_from(["Europe/Madrid", "../../etc/passwd", "+14:00", "UTC\x00", "customer"]),
    days=st.dictionaries(
        st.text(max_size=7) | st.sampled_from(["mon-fri", "fri-mon", "sat"]), st.lists(HOURS, max_size=3), max_size=3
    ),
    holidays=st.lists(st.text(max_size=12) | st.dates().map(str), max_size=3),
)
def test_calendar_is_compiled_or_refused(zone: str, days: dict[str, Any], holidays: list[str]):
    document = {"timezone": zone, "hours": days, "holidays": holidays}
    compiled = outcome(lambda: compile_calendar(parse_calendar(document)), InvalidInput, ValueError, seconds=2)
    if compiled is not None:
        outcome(lambda: list(compiled.windows(NOW, NOW + timedelta(days=9))), InvalidInput)


SECRET = new_secret()
BODY = b'{"a": 1}'
HEADER = st.text(max_size=40) | st.sampled_from(
    ["v1,", "v1,AAAA v1,AAAA", "sha256=", "sha1=00", "Bearer x", "1777899600", "9" * 12, "٣" * 9]
)
NAMES = st.sampled_from(
    [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-glpi-signature",
        "x-glpi-timestamp",
        "authorization",
        "x-zammad-delivery",
    ]
)


@examples(60)
@given(st.sampled_from(["standard", "hub", "glpi", "bearer"]), st.dictionaries(NAMES, HEADER, max_size=5))
def test_nobody_guesses_a_signature(scheme: Any, headers: dict[str, str]):
    def check() -> object:
        return verify(scheme, headers, BODY, valid_secrets=[SECRET], now=NOW)

    assert outcome(check, SignatureInvalid) is None


@examples(60)
@given(st.binary(max_size=200), st.data())
def test_what_was_signed_verifies_and_what_was_changed_does_not(body: bytes, data: st.DataObject):
    headers = sign(body, secret=SECRET, message_id="m", at=NOW)
    assert verify("standard", headers, body, valid_secrets=[new_secret(), SECRET], now=NOW)
    name = data.draw(st.sampled_from(["body", "webhook-id", "webhook-timestamp"]))
    other = body + b"x" if name == "body" else body
    changed = headers if name == "body" else headers | {name: headers[name] + "1"}
    with pytest.raises(SignatureInvalid):
        verify("standard", changed, other, valid_secrets=[SECRET], now=NOW)


LINK = sign_link(Link(desk_id=ID, message_id=ID, expires_at=NOW), key=b"k" * 32)


@examples(50)
@given(st.data())
def test_link_is_the_one_that_was_signed(data: st.DataObject):
    token = damaged(data.draw, LINK.encode(), BASE64.map(str.encode) | st.binary(max_size=5)).decode(
        "utf-8", "surrogateescape"
    )
    link = outcome(lambda: read_link(token, key=b"k" * 32), LinkInvalid)
    if link is not None:
        assert (link.desk_id, link.message_id, link.expires_at) == (ID, ID, NOW)


@examples(60)
@given(st.text(max_size=60) | st.text(max_size=30).map("Bearer plz_{}".format))
def test_key_is_two_parts_or_refused(header: str):
    parts = outcome(lambda: parse_token(header), Unauthenticated)
    assert parts is None or len(parts) == 2


class OneKey:
    """A provider that has one key under any name."""

    async def find(self, _key_id: str | None) -> Any:
        return RSA


PROVIDER = Provider(issuer="https://id.example.com")
TOKENS = AccessTokens(TokenRules(issuer=PROVIDER.issuer, audience="x", jwks_url=None), keys=OneKey())  # type: ignore[arg-type]


def read_access_token(token: str) -> Claims | None:
    return outcome(lambda: asyncio.run(TOKENS.verify(token, now=NOW)), TokenRefused)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


ALGORITHMS = st.sampled_from(["RS256", "none", "HS256"])
HEADS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku", "x5u", "jwk", "zip", "enc"]),
    SOME_JSON | ALGORITHMS,
    max_size=4,
)
CLAIMS = st.dictionaries(
    st.sampled_from(
        [
            "iss",
            "aud",
            "sub",
            "exp",
            "nbf",
            "iat",
            "plazo_desk",
            "plazo_role",
            "plazo_customer",
            "plazo_contact",
            "name",
        ]
    ),
    SOME_JSON,
    max_size=3,
)


@examples(60)
@given(HEADS | SOME_JSON, SOME_JSON | st.binary(max_size=20), st.binary(max_size=260))
def test_forged_token_is_refused(head: Any, claims: Any, signature: bytes):
    assert read_access_token(f"{part(head)}.{part(claims)}.{part(signature)}") is None


@examples(15)
@given(CLAIMS)
def test_signed_token_with_any_claims_is_read_or_refused(claims: dict[str, Any]):
    said = {"aud": "x"} | claims
    found = read_access_token(PROVIDER.token(RSA, "RS256", None, **said))
    assert found is None or (found.subject and isinstance(found.desk_id, UUID))


def test_token_of_another_algorithm_is_refused():
    assert read_access_token(PROVIDER.token(EC, "ES256", {"kid": "rsa"}, aud="x")) is None


EVENT = Envelope(
    id=ID,
    producer="tickets",
    type="ticket.opened.v1",
    desk_id=ID,
    aggregate_id=ID,
    aggregate_version=1,
    occurred_at=NOW,
    recorded_at=NOW,
    correlation_id=ID,
    causation_id=ID,
    traceparent="x",
    data={"a": 1},
)
HEADERS = event_headers(EVENT)
ODD_VALUES = st.sampled_from(
    ["9" * 30, "9" * 5000, "-1", "0", "\x00", "\udcff", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
TIMES = st.datetimes().map(str) | st.datetimes(timezones=st.just(UTC)).map(str)
VALUES = st.text(max_size=20) | st.integers().map(str) | TIMES | ODD_VALUES
ODD_BODIES = st.sampled_from(
    [
        b'{"a": 1e999}',
        b'{"a": NaN}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"a":' * 5000,
        b"[" * 5000,
        b'{"a": "1e999"}',
        b'{"1e400": -0}',
    ]
)
BODIES = SOME_JSON.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=30) | ODD_BODIES


@examples(40)
@given(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.none() | VALUES, max_size=3), BODIES)
def test_message_is_an_event_that_can_be_kept_or_malformed(changes: dict[str, str | None], body: bytes):
    headers = {name: value for name, value in (HEADERS | changes).items() if value is not None}
    event = outcome(lambda: parse_event(headers, body), MalformedEvent)
    if event is not None:
        assert 1 <= event.aggregate_version < 2**63
        assert FIRST_YEAR <= event.occurred_at.astimezone(UTC).year <= LAST_YEAR + 1
        kept = json.dumps(event.data, allow_nan=False)
        assert "\\u0000" not in kept.replace("\\\\", "")


def test_event_is_read_back():
    assert parse_event(HEADERS, b'{"a": 1}') == EVENT
