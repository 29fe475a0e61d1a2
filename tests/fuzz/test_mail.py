"""E-mail is read, or refused as no mail, whatever its bytes are; what was read is fit to be kept."""

import base64

import pytest
from fuzz.bounds import LONG, damaged, examples, outcome, peak_memory
from hypothesis import given
from hypothesis import strategies as st

from tickets.domain.attachments import LONGEST_NAME, Limits, TypeRefused, clean_name, clean_type, judge_type
from tickets.domain.email import MailUnreadable, parse_mail
from tickets.domain.quoting import new_text, text_of_html

REAL = (
    b"From: =?utf-8?q?Ana_P=C3=A9rez?= <ana@example.com>\r\nTo: support@example.com, otra@example.com\r\n"
    b"Subject: =?utf-8?b?Tm8gYXJyYW5jYQ==?=\r\nDate: Mon, 04 May 2026 15:00:00 +0200\r\n"
    b"Message-ID: <one@example.com>\r\nIn-Reply-To: <0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01@plazo>\r\n"
    b"References: <a@example.com> <b@example.com>\r\nAuthentication-Results: mx; spf=fail; dkim=pass\r\n"
    b"Auto-Submitted: no\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
    b"--y\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"No arranca desde hoy=2E\r\n\r\nEl lun, 4 may 2026 a las 15:00, X <x@example.com> escribi=C3=B3:\r\n> antes\r\n"
    b"--y\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>No <b>arranca</b> desde hoy.</p>"
    b"<blockquote>antes</blockquote>\r\n--y--\r\n"
    b"--x\r\nContent-Type: application/pdf; name*=utf-8''hoja%20de%20c%C3%A1lculo.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\nJVBERi0xLjQK\r\n--x--\r\n"
)
PIECES = st.sampled_from(
    [
        *(
            b"Content-Type: text/plain; charset=%s\r\n" % one
            for one in (b"utf-16", b"idna", b"rot13", b"hex", b"zip", b"x" * 99)
        ),
        *(
            b"Content-Transfer-Encoding: %s\r\n" % one
            for one in (b"base64", b"quoted-printable", b"x-uuencode", b"8bit", b"\xff")
        ),
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: message/external-body; access-type=local-file; name=/etc/passwd\r\n\r\n",
        b"Content-Type: message/partial; id=1; number=1; total=9\r\n\r\n",
        b'Content-Type: multipart/mixed; boundary=""\r\n',
        b'Content-Disposition: attachment; filename="../../../etc/passwd\x00.txt"\r\n',
        b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*2*=b; filename*1=%ff\r\n",
        b"=?utf-8?b?" + b"A" * 300,
        b"=?unknown-8bit?q?=FF=FE?=",
        b"=?utf-8?q?=00=0D=0ABcc:_x@example.com?=",
        b'From: a@b, c@d, "e@f" <g@h>\r\n',
        b"Date: Mon, 32 Foo -9999 99:99:99 +9999\r\n",
        b"<" * 300 + b">" * 300,
        b"\r\n--x\r\n",
        b"\r\n--y--\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\x00",
        b"\xed\xa0\x80",
        b"begin 644 x\nM" + b"!" * 60 + b"\nend\n",
        b"<script>",
        b"<!--",
        b"&#x110000;",
        b"&#" + b"9" * 5000 + b";",
        b"\nEl a@b.c escribi\xc3\xb3:\n",
    ]
)


@examples(50)
@given(st.data())
def test_damaged_mail_is_read_or_refused(data: st.DataObject):
    raw = damaged(data.draw, REAL, PIECES | st.binary(max_size=20))
    mail = outcome(lambda: parse_mail(raw, return_path=data.draw(st.sampled_from([None, "", "a@b.c"]))), MailUnreadable)
    if mail is None:
        return
    shown = (mail.subject, mail.text, mail.whole_text, mail.message_id, mail.sender, mail.sender_name or "")
    for text in (*shown, *mail.recipients, *mail.references, *(one.name for one in mail.attachments)):
        text.encode()  # no halves of characters
        assert "\x00" not in text
    assert "@" in mail.sender
    assert not set("\r\n") & set(mail.subject + mail.sender + mail.message_id + (mail.sender_name or ""))
    assert mail.text in mail.whole_text or mail.text.strip()
    for one in mail.attachments:
        assert "/" not in one.name
        assert one.name not in ("", ".", "..")


N = 10 if LONG else 1
HEAD = b"From: a@example.com\r\n"
BOMBS = {
    "headers": HEAD + b"X-A: b\r\n" * 60_000 * N + b"\r\nx",
    "a header": HEAD + b"Subject: " + b"x\r\n " * 100_000 * N + b"\r\n\r\nx",
    "encoded words": HEAD + b"Subject: " + b"=?utf-8?q?a?= " * 20_000 * N + b"\r\n\r\nx",
    "addresses": b"From: " + b"a@b.c, " * 20_000 * N + b"\r\n\r\nx",
    "comments": b"From: " + b"(" * 50_000 * N + b" a@example.com\r\n\r\nx",
    "quotes": b"From: " + b'"a\\' * 20_000 * N + b" <a@example.com>\r\n\r\nx",
    "references": HEAD + b"References: " + b"<a@b.c>\r\n " * 30_000 * N + b"\r\n\r\nx",
    "parameters": HEAD + b"Content-Type: text/plain" + b"; a=b" * 30_000 * N + b"\r\n\r\nx",
    "many parameters": HEAD + b"Content-Disposition: attachment" + b"\r ;a=b" * 300_000 + b"\r\n\r\nx",
    "folded parameters": HEAD + b"Content-Type: multipart/mixed" + b"\r\n ; a=b" * 200_000 + b"\r\n\r\nx",
    "continued parameters": HEAD
    + b"Content-Type: text/plain"
    + b"".join(b"; a*%d=b" % n for n in range(3_000 * N))
    + b"\r\n\r\nx",
    "parts": HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 15_000,
    "messages in messages": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5_000 * N,
    "multiparts in multiparts": HEAD
    + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000 * N)),
    "quotation": HEAD + b"\r\n" + b"On 1/1/26 a@b.c\r\n" * 20_000 * N,
    "attributions": HEAD + b"\r\n" + b"El " + b"escribi\xc3\xb3 : " * 50_000 * N,
    "open tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a " * 100_000 * N,
    "open comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 50_000 * N,
    "quotations in quotations": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<blockquote>" * 30_000 * N,
    "entities": HEAD + b"Content-Type: text/html\r\n\r\n" + b"&amp;" * 50_000 * N,
    "UTF-7": HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+AAA-" * 50_000 * N,
    "base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 200_000 * N,
    "uuencode": HEAD + b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 644 x\n" + b"M\n" * 50_000 * N,
}


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_mail_bomb_is_read_or_refused_in_time(bomb: str):
    raw = BOMBS[bomb]
    outcome(lambda: parse_mail(raw), MailUnreadable, seconds=2 + len(raw) / 500_000)


def test_mail_takes_memory_in_proportion():
    file = base64.encodebytes(b"x" * 1_000_000)
    raw = HEAD + b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + file
    assert peak_memory(lambda: parse_mail(raw)) < 12 * len(raw)


@examples(40)
@given(st.text(alphabet=st.sampled_from("<>/!-&;#x0 pbdivscript\nblockquote\"'=>El:escribió@1"), max_size=200))
def test_html_becomes_text(html: str):
    text = outcome(lambda: text_of_html(html))
    assert text is not None
    assert outcome(lambda: new_text(text)) is not None


NAMES = st.text(max_size=40) | st.sampled_from(
    ["../../x", "CON", "a\x00.exe", "a.exe ", "\u202egpj.exe", "." * 300, "ñ" * 400]
)


@examples(40)
@given(
    name=NAMES,
    declared=st.text(max_size=30)
    | st.sampled_from(["image/png", "text/html; x=y", "a/" + "b" * 500, "application/pdf"]),
    start=st.binary(max_size=16) | st.sampled_from([b"MZ", b"%PDF-1.4", b"\x7fELF", b"#!/bin/sh", b"PK\x03\x04"]),
)
def test_attachment_is_named_and_typed_or_refused(name: str, declared: str, start: bytes):
    clean, type_ = clean_name(name), clean_type(declared)
    assert 1 <= len(clean) <= LONGEST_NAME
    assert not set("/\\\x00\r\n") & set(clean)
    assert type_.isascii()
    limits = Limits(file_bytes=1, ticket_bytes=1, refused=("text/html",))
    found = outcome(
        lambda: judge_type(name=clean, declared=type_, start=start, candidates=["", "text/xml"], limits=limits),
        TypeRefused,
    )
    if found is not None:
        assert not start.startswith((b"MZ", b"\x7fELF", b"#!"))
        assert found.declared != "text/html"
