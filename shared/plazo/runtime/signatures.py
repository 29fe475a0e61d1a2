"""Signatures of webhooks: Standard Webhooks, and the schemes of senders that know no other.

`now` is the machine's present: a signature is about the wire, not about the time of a desk.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from plazo.kernel.errors import Kind, PlazoError

Scheme = Literal["standard", "hub", "glpi", "bearer"]

TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"
_LONGEST_ID = 256
_MOST_SIGNATURES = 20


class SignatureInvalid(PlazoError):
    """The delivery is not signed with a secret of the hook, or signed too long ago."""

    kind = Kind.UNAUTHENTICATED
    code = "signature-invalid"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What makes a delivery the same one when it is repeated: any of these ids."""

    ids: tuple[str, ...]


def new_secret() -> str:
    """Make a secret: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(body: bytes, *, secret: str, message_id: str, at: datetime) -> dict[str, str]:
    """Return the three headers that sign a delivery by Standard Webhooks."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": _standard_signature(body, secret=secret, message_id=message_id, stamp=stamp),
    }


def verify(
    scheme: Scheme,
    headers: Mapping[str, str],
    body: bytes,
    *,
    valid_secrets: Sequence[str],
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Delivery:
    """Check that a delivery was signed with one of the secrets. `headers` by name in lower case.

    Standard Webhooks is taken whatever the scheme; a weaker one only where it is the hook's.

    :raises SignatureInvalid: if it was not, or its timestamp is further than `tolerance` from `now`
    """
    if "webhook-signature" in headers or scheme == "standard":
        return _verify_standard(headers, body, valid_secrets=valid_secrets, now=now, tolerance=tolerance)
    if scheme == "hub":
        _verify_hub(headers, body, valid_secrets=valid_secrets)
    elif scheme == "glpi":
        _verify_glpi(headers, body, valid_secrets=valid_secrets, now=now, tolerance=tolerance)
    else:
        _verify_bearer(headers, valid_secrets=valid_secrets)
    # The id that these schemes send is not signed: the content counts as well.
    content = "sha256:" + hashlib.sha256(body).hexdigest()
    named = headers.get("x-zammad-delivery") or headers.get("x-atlassian-webhook-identifier")
    return Delivery(ids=(content, f"id:{named[:_LONGEST_ID]}") if named else (content,))


def _verify_standard(
    headers: Mapping[str, str], body: bytes, *, valid_secrets: Sequence[str], now: datetime, tolerance: timedelta
) -> Delivery:
    message_id, stamp, signatures = (
        headers.get(f"webhook-{name}", "").strip() for name in ("id", "timestamp", "signature")
    )
    if not message_id or len(message_id) > _LONGEST_ID or not stamp or not signatures:
        raise SignatureInvalid("expected the headers webhook-id, webhook-timestamp and webhook-signature")
    _check_age(stamp, now=now, tolerance=tolerance)
    expected = [
        _standard_signature(body, secret=secret, message_id=message_id, stamp=stamp) for secret in valid_secrets
    ]
    _require(any(_is_same(one, given) for given in signatures.split()[:_MOST_SIGNATURES] for one in expected))
    return Delivery(ids=(f"id:{message_id}",))


def _standard_signature(body: bytes, *, secret: str, message_id: str, stamp: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX) + "==")
    except binascii.Error:
        key = secret.encode()
    digest = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def _verify_hub(headers: Mapping[str, str], body: bytes, *, valid_secrets: Sequence[str]) -> None:
    """Check `X-Hub-Signature: sha1=…` (Zammad) or `sha256=…` (Jira), over the body."""
    given = headers.get("x-hub-signature-256") or headers.get("x-hub-signature") or ""
    algorithm, _, signature = given.partition("=")
    if algorithm not in ("sha1", "sha256"):
        raise SignatureInvalid("expected the header X-Hub-Signature with sha1=… or sha256=…")
    _require(
        any(_is_same(hmac.new(secret.encode(), body, algorithm).hexdigest(), signature) for secret in valid_secrets)
    )


def _verify_glpi(
    headers: Mapping[str, str], body: bytes, *, valid_secrets: Sequence[str], now: datetime, tolerance: timedelta
) -> None:
    """Check `X-GLPI-signature`, over the body and `X-GLPI-timestamp` behind it."""
    signature, stamp = headers.get("x-glpi-signature", ""), headers.get("x-glpi-timestamp", "").strip()
    if not signature or not stamp:
        raise SignatureInvalid("expected the headers X-GLPI-signature and X-GLPI-timestamp")
    _check_age(stamp, now=now, tolerance=tolerance)
    signed = body + stamp.encode()
    _require(any(_is_same(hmac.digest(one.encode(), signed, "sha256").hex(), signature) for one in valid_secrets))


def _verify_bearer(headers: Mapping[str, str], *, valid_secrets: Sequence[str]) -> None:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise SignatureInvalid("expected the header Authorization: Bearer … with the secret of the hook")
    _require(any(_is_same(secret, given.strip()) for secret in valid_secrets))


def _check_age(stamp: str, *, now: datetime, tolerance: timedelta) -> None:
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:  # seconds since 1970
        raise SignatureInvalid("expected a timestamp in whole seconds since 1970")
    apart = abs(int(stamp) - now.timestamp())
    if apart > tolerance.total_seconds():
        raise SignatureInvalid(
            f"the timestamp is {apart:.0f} s from the present; at most {tolerance.total_seconds():.0f} s are taken"
        )


def _is_same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape"))


def _require(is_right: bool) -> None:  # noqa: FBT001  # it is the question itself
    if not is_right:
        raise SignatureInvalid("the signature is not one of this hook's secret over this body")
