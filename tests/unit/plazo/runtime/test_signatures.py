"""Signatures of webhooks, beside the published library and by the schemes of other senders."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from plazo.runtime.signatures import Delivery, Scheme, SignatureInvalid, new_secret, sign, verify

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = '{"año": 1}'.encode()
SECRET = new_secret()
KEY = SECRET.encode()


def check(headers: dict[str, str], *, scheme: Scheme = "standard", secrets: list[str] | None = None) -> Delivery:
    """Verify as of noon."""
    return verify(scheme, headers, BODY, valid_secrets=secrets or [SECRET], now=NOW)


def test_signs_as_the_library_does() -> None:
    ours = sign(BODY, secret=SECRET, message_id="msg_1", at=NOW)
    assert ours["webhook-signature"] == Webhook(SECRET).sign("msg_1", NOW, BODY.decode())
    assert check(ours) == Delivery(ids=("id:msg_1",))


@pytest.mark.parametrize("way", [-1, 1], ids=["too old", "too new"])
def test_a_timestamp_beyond_the_tolerance_is_refused(way: int) -> None:
    with pytest.raises(SignatureInvalid, match="301 s from the present"):
        check(sign(BODY, secret=SECRET, message_id="m", at=NOW + way * timedelta(seconds=301)))
    check(sign(BODY, secret=SECRET, message_id="m", at=NOW + way * timedelta(seconds=300)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"webhook-id": "other"}, id="another id"),
        pytest.param({"webhook-timestamp": str(int(STAMP) + 1)}, id="another time"),
        pytest.param({"webhook-signature": "v1,AAAA"}, id="another signature"),
        pytest.param({"webhook-signature": "v2,"}, id="another version"),
        pytest.param({"webhook-timestamp": "1e9"}, id="no number"),
        pytest.param({"webhook-timestamp": "-1"}, id="before time"),
        pytest.param({"webhook-id": ""}, id="no id"),
        pytest.param({"webhook-signature": "v1,ñ\udcff"}, id="no ASCII"),
    ],
)
def test_whatever_is_changed_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        check(sign(BODY, secret=SECRET, message_id="msg_1", at=NOW) | change)


def test_one_of_several_secrets_and_signatures_is_enough() -> None:
    older, newer = new_secret(), new_secret()
    headers = sign(BODY, secret=older, message_id="m", at=NOW)
    check(headers, secrets=[newer, older])
    headers["webhook-signature"] = "v1a,x v1,AAAA " + headers["webhook-signature"]
    check(headers, secrets=[newer, older])
    with pytest.raises(SignatureInvalid):
        check(headers, secrets=[newer])


def _hub(algorithm: str) -> dict[str, str]:
    return {"x-hub-signature": f"{algorithm}={hmac.new(KEY, BODY, algorithm).hexdigest()}"}


_GLPI = {"x-glpi-signature": hmac.digest(KEY, BODY + STAMP.encode(), "sha256").hex(), "x-glpi-timestamp": STAMP}


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        pytest.param("hub", _hub("sha1"), id="Zammad"),
        pytest.param("hub", _hub("sha256"), id="Jira"),
        pytest.param("glpi", _GLPI, id="GLPI"),
        pytest.param("bearer", {"authorization": f"Bearer {SECRET}"}, id="Alertmanager"),
    ],
)
def test_other_schemes(scheme: Scheme, headers: dict[str, str]) -> None:
    assert check(headers, scheme=scheme).ids == ("sha256:" + hashlib.sha256(BODY).hexdigest(),)
    for name in headers:
        with pytest.raises(SignatureInvalid):
            check(headers | {name: headers[name][:-1] + ("0" if headers[name][-1] != "0" else "1")}, scheme=scheme)
        with pytest.raises(SignatureInvalid):
            check({other: value for other, value in headers.items() if other != name}, scheme=scheme)
    with pytest.raises(SignatureInvalid):  # a weaker scheme only where it is the hook's
        check(headers)


def test_ids_that_are_not_signed_count_beside_the_content() -> None:
    zammad = check(_hub("sha1") | {"x-zammad-delivery": "d1"}, scheme="hub")
    assert zammad.ids == ("sha256:" + hashlib.sha256(BODY).hexdigest(), "id:d1")
