"""Mail comes in over SMTP, from a real client: taken when committed, refused for who is not here."""

import copy
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness import DeskUnderTest
from mails import known_contact, write

from tickets.routes.smtp import listening
from tickets.usecases import mail

ADDRESS = "soporte@desk.example.com"


@dataclass
class Post:
    """A listener, and a desk whose address it takes mail for."""

    desk: DeskUnderTest
    port: int
    address: str

    async def send(self, raw: bytes, *, sender: str = "ana@example.com", to: str | None = None) -> tuple[Any, str]:
        """Send a mail as a mail server would; returns what it is answered."""
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False) as client:
            return await client.sendmail(sender, [to or self.address], raw)


@pytest.fixture
async def post(desk: DeskUnderTest) -> AsyncIterator[Post]:
    await known_contact(desk, "ireo", plan="standard")
    address = f"{str(desk.desk_id)[-12:]}.{ADDRESS}"
    await desk.admin.ok("POST", "/v1/intake/addresses", json={"address": address.upper()})
    async with listening(desk.house.runtime("tickets"), host="127.0.0.1", port=0) as port:
        yield Post(desk, port, address)


async def test_a_mail_becomes_a_ticket_and_a_repetition_does_not(post: Post) -> None:
    raw = write(files={"a.txt": b"a\n"})
    _, answer = await post.send(raw)
    assert answer.startswith("2.0.0 ticket_opened IREO-")
    _, again = await post.send(b"Received: from elsewhere\r\n" + raw)
    assert again == "2.0.0 duplicate " + answer.split()[-1]
    tickets = (await post.desk.admin.ok("GET", "/v1/tickets"))["items"]
    assert [(ticket["channel"], ticket["contact_email"]) for ticket in tickets] == [("email", "ana@example.com")]


async def test_the_null_sender_is_a_bounce(post: Post) -> None:
    _, answer = await post.send(write(), sender="")
    assert answer == "2.0.0 ignored"


async def test_an_unknown_recipient_is_refused(post: Post) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await post.send(write(), to="nadie@example.com")
    assert [(one.code, one.message) for one in refused.value.recipients] == [
        (550, "5.1.1 nadie@example.com is no address here")
    ]


async def test_lines_longer_than_the_standard_has_are_taken(post: Post) -> None:
    _, answer = await post.send(write(message_id="long@example.com") + b"x" * 200_000)
    assert answer.startswith("2.0.0 ticket_opened")


async def test_what_is_no_mail_is_refused(post: Post) -> None:
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await post.send(b"Subject: sin remitente\r\n\r\nhola\r\n")
    assert refused.value.code == 554


async def test_a_mail_beyond_the_limit_is_refused(post: Post) -> None:
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await post.send(write() + (b"x" * 990 + b"\r\n") * 36_000)
    assert refused.value.code == 552


async def test_while_the_database_is_away_the_sender_shall_come_back(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise asyncpg.CannotConnectNowError("starting up")

    with monkeypatch.context() as patch:
        patch.setattr(mail, "take_mail", away)
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await post.send(write())
    assert refused.value.code == 451
    _, answer = await post.send(write())
    assert answer.startswith("2.0.0 ticket_opened")


async def test_an_address_belongs_to_one_desk(post: Post) -> None:
    other = await post.desk.house.new_desk()
    said = [
        await one.admin.refused(409, "POST", "/v1/intake/addresses", json={"address": post.address})
        for one in (other, post.desk)
    ]
    assert said[0]["detail"] == said[1]["detail"]  # whoever has it
    assert "installation" in said[0]["detail"]
    await post.desk.admin.ok("DELETE", f"/v1/intake/addresses/{post.address}")
    await other.admin.ok("POST", "/v1/intake/addresses", json={"address": post.address})


async def test_a_certificate_offers_starttls(post: Post, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    runtime = copy.copy(post.desk.house.runtime("tickets"))
    files = {"smtp_certificate": str(certificate), "smtp_certificate_key": str(key)}
    runtime.settings = runtime.settings.model_copy(update=files)
    async with listening(runtime, host="127.0.0.1", port=0) as port:
        known = ssl.create_default_context(cafile=str(certificate))
        async with aiosmtplib.SMTP(hostname="localhost", port=port, start_tls=True, tls_context=known) as client:
            _, answer = await client.sendmail("ana@example.com", [post.address], write())
    assert answer.startswith("2.0.0 ticket_opened")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of its own authority for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret
