"""Secrets in files: read as they were meant, and never said when they cannot be."""

from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr, ValidationError

from plazo.runtime.secret_files import read_secret, read_secrets
from plazo.runtime.settings import OBJECT_STORE_SECRETS, Settings

NEEDED = {
    "PLAZO_DATABASE_URL": "postgresql://a:unrepeated@h/d",
    "PLAZO_SYSTEM_DATABASE_URL": "postgresql://b:unrepeated@h/d",
    "PLAZO_NATS_URL": "nats://c:unrepeated@h",
    "PLAZO_OPERATOR_KEY": "unrepeated unrepeated",
}
OTHERS = {
    "PLAZO_SECRETS_KEY": f"k:{'A' * 43}=",
    "PLAZO_LINK_KEY": "unrepeated link key",
    "PLAZO_SMTP_URL": "smtp://user:unrepeated@mail.example.com",
}


def write(folder: Path, name: str, content: bytes) -> str:
    """Write a file and return its path."""
    file = folder / name
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"pa ss", id="as it is"),
        pytest.param(b"pa ss\n", id="with the end of a line"),
        pytest.param(b"pa ss\r\n", id="with that of Windows"),
    ],
)
def test_a_secret_is_what_its_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", write(tmp_path, "key", content))
    assert read_secret("AWS_SECRET_ACCESS_KEY") == "pa ss"
    assert read_secrets(OBJECT_STORE_SECRETS) == {"AWS_SECRET_ACCESS_KEY": "pa ss"}


def test_every_secret_setting_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in (NEEDED | OTHERS).items():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_FILE", write(tmp_path, name, f"{value}\n".encode()))
    settings = Settings()
    secret = {
        name for name, one in Settings.model_fields.items() if SecretStr in {one.annotation, *get_args(one.annotation)}
    }
    assert {f"PLAZO_{name.upper()}" for name in secret} == set(NEEDED | OTHERS)
    for name in secret:
        assert getattr(settings, name).get_secret_value() == (NEEDED | OTHERS)[f"PLAZO_{name.upper()}"]
    assert "unrepeated" not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "No such file or directory", id="not there"),
        pytest.param(b"\n", "is empty", id="empty"),
        pytest.param(b"unrepeated\xff", "is not text in UTF-8", id="no text"),
    ],
)
def test_a_file_that_can_not_be_read_is_a_fault_of_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
):
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    file = str(tmp_path / "absent") if content is None else write(tmp_path, "key", content)
    monkeypatch.setenv("PLAZO_LINK_KEY_FILE", file)
    monkeypatch.setenv("PLAZO_SMTP_URL_FILE", file)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert {fault["loc"] for fault in caught.value.errors()} == {("link_key",), ("smtp_url",)}
    assert "PLAZO_LINK_KEY_FILE" in str(caught.value)
    assert said in str(caught.value)
    assert file in str(caught.value)
    assert "unrepeated" not in str(caught.value)


def test_a_secret_that_is_given_twice_is_a_fault_that_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLAZO_NATS_URL_FILE", write(tmp_path, "url", b"nats://d:unrepeated@h"))
    with pytest.raises(ValidationError, match="both PLAZO_NATS_URL and PLAZO_NATS_URL_FILE are set") as caught:
        Settings()
    assert "unrepeated" not in str(caught.value)
    monkeypatch.setenv("PLAZO_NATS_URL", "")  # as a container's file of variables leaves it
    assert Settings().nats_url.get_secret_value() == "nats://d:unrepeated@h"


def test_credentials_of_a_bucket_are_looked_at_as_the_process_starts(monkeypatch: pytest.MonkeyPatch):
    for name, value in (NEEDED | {"PLAZO_ATTACHMENTS_URL": "s3://bucket"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID_FILE", "/no/file")
    with pytest.raises(ValidationError, match="AWS_ACCESS_KEY_ID_FILE names cannot be read"):
        Settings()
