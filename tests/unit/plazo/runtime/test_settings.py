"""A wrong setting is named as the process starts, and a secret one is not repeated."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from plazo.runtime.settings import Settings

NEEDED = {
    "database_url": "postgresql://a",
    "system_database_url": "postgresql://b",
    "nats_url": "nats://c",
    "operator_key": "x" * 16,
}
KEY = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("webhook_allowed_networks", "10.0.0.0/8, localhost", id="no network"),
        pytest.param("webhook_allowed_networks", "10.0.0.1/8", id="an address within a network"),
        pytest.param("secrets_key", "new:c2hvcnQ=", id="a short key"),
        pytest.param("secrets_key", f"new:{KEY},", id="a key that is missing"),
        pytest.param("smtp_url", "http://mail.example.com/unrepeated", id="no mail server"),
        pytest.param("smtp_url", "smtp://unrepeated@:25", id="no host"),
        pytest.param("smtp_url", "smtp://mail.example.com:unrepeated", id="no port"),
    ],
)
def test_names_a_wrong_setting(name: str, value: str) -> None:
    given: dict[str, Any] = NEEDED | {name: value}
    with pytest.raises(ValidationError) as caught:
        Settings(**given)
    (fault,) = caught.value.errors()
    assert fault["loc"] == (name,)
    assert "expected" in fault["msg"]
    assert "unrepeated" not in fault["msg"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("webhook_allowed_networks", "10.0.0.0/8, fd00::/8,", id="networks"),
        pytest.param("secrets_key", f"new:{KEY}, {KEY}", id="keys"),
        pytest.param("smtp_url", "smtps://user:p%40ss@mail.example.com", id="a mail server"),
    ],
)
def test_takes_a_right_one(name: str, value: str) -> None:
    given: dict[str, Any] = NEEDED | {name: value}
    assert Settings(**given)
