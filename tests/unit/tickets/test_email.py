"""Mail as it arrives: what is read of it, whatever its bytes are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickets.domain.email import Mail, MailUnreadable, display_subject, numbers_in, parse_mail

LINE = b"\r\n"


def mail(*headers: str | bytes, body: bytes = b"Hola", sender: str = "Ana <ana@example.com>") -> Mail:
    """Read a mail of some headers and a body."""
    lines = [f"From: {sender}".encode(), *(one if isinstance(one, bytes) else one.encode() for one in headers)]
    return parse_mail(LINE.join([*lines, b"", body]))


def multipart(kind: str, *parts: bytes) -> Mail:
    """Read a mail of parts, each with its own headers."""
    body = b"".join(b"--x\r\n" + part + LINE for part in parts) + b"--x--\r\n"
    return mail(f'Content-Type: multipart/{kind}; boundary="x"', body=body)


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        pytest.param(["Subject: =?utf-8?q?No_arranc=C3=B3?="], "No arrancó", id="RFC 2047, quoted"),
        pytest.param(["Subject: =?utf-8?B?Tm8g?= =?utf-8?B?YXJyYW5jYQ==?="], "No arranca", id="two words are one"),
        pytest.param(["Subject: No arranc\u00f3"], "No arrancó", id="bare UTF-8"),
        pytest.param([b"Subject: No arranc\xf3"], "No arrancó", id="bare Windows-1252"),
        pytest.param(["Subject: =?nonsense?q?a=F3?="], "aó", id="no such charset"),
        pytest.param(["Subject: =?utf-8?b?%%%?="], "=?utf-8?b?%%%?=", id="broken base64 stays as it is"),
        pytest.param(["Subject: a", "\tb"], "a b", id="folded"),
        pytest.param(["Subject: =?utf-8?q?a=0D=0ABcc=3A_x=00?="], "a Bcc: x", id="no header, no NUL gets in"),
        pytest.param([], "", id="none"),
    ],
)
def test_a_subject_is_one_line_of_text(headers: list[str | bytes], subject: str) -> None:
    assert mail(*headers).subject == subject


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        pytest.param(["Content-Type: text/plain; charset=iso-8859-1"], b"a\xf1o", "año", id="declared"),
        pytest.param(["Content-Type: text/plain; charset=nonsense"], "año".encode(), "año", id="unknown"),
        pytest.param(["Content-Type: text/plain; charset=ascii"], b"a\xf1o", "año", id="lies"),
        pytest.param(["Content-Type: text/plain; charset=idna"], b"xn--a", "xn--a", id="slow codec is not used"),
        *(
            pytest.param([f"Content-Type: text/plain; charset={name}"], "año".encode(), "año", id=f"no text: {name}")
            for name in ("idna", "punycode", "undefined", '"a\0b"')
        ),
        pytest.param(["Content-Transfer-Encoding: base64"], b"SG9sYQ==", "Hola", id="base64"),
        pytest.param(["Content-Transfer-Encoding: quoted-printable"], b"a=\r\nb", "ab", id="quoted-printable"),
        pytest.param(["Content-Type: text/html"], b"<p>a<br>b</p><script>x</script>", "a\nb", id="HTML"),
        pytest.param([], b"a\x00\x07b", "ab", id="no control characters"),
    ],
)
def test_the_text_is_read_in_any_charset(headers: list[str | bytes], body: bytes, text: str) -> None:
    assert mail(*headers, body=body).text == text


def test_plain_text_goes_before_html_and_files_are_attachments() -> None:
    plain = b"Content-Type: text/plain\r\n\r\nhola"
    html = b"Content-Type: text/html\r\n\r\n<b>hola html</b>"
    assert multipart("alternative", html, plain).text == "hola"
    assert multipart("alternative", b"Content-Type: text/plain\r\n\r\n  ", html).text == "hola html"
    named = b"Content-Type: text/plain; name*=utf-8''informe%20a%C3%B1o.txt\r\n\r\ncontenido"
    unnamed = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw=="
    escaping = b'Content-Type: text/x; name="../../etc/passwd"\r\n\r\nx'
    inner = b"Content-Type: message/rfc822\r\n\r\nFrom: b@example.com\r\n\r\ndentro"
    read = multipart("mixed", plain, named, unnamed, escaping, inner)
    assert read.text == "hola"
    assert [one.name for one in read.attachments] == ["informe año.txt", "part-3", "passwd", "part-5.eml"]
    assert read.attachments[1].content == b"\x89PNG"
    assert b"dentro" in read.attachments[3].content


def test_ids_are_read_and_derived() -> None:
    read = mail(
        "Message-ID: <own@example.com>",
        "In-Reply-To: <near@example.com>",
        "References: <far@example.com> <near@example.com>",
        "Date: Mon, 4 May 2026 15:00:00 +0200",
    )
    assert read.message_id == "own@example.com"
    assert read.references == ("near@example.com", "far@example.com")
    assert read.sent_at == datetime(2026, 5, 4, 13, tzinfo=UTC)
    assert mail().message_id == mail().message_id
    assert mail().message_id != mail(body=b"Otra").message_id
    assert mail("Message-ID: <" + "x" * 5000 + "@example.com>").message_id.endswith("@no-id.invalid")


def test_addresses_are_read() -> None:
    read = mail("To: Soporte <A@Example.com>, b@example.com", "Cc: A@example.com", sender='"P, Ana" <ANA@example.com>')
    assert (read.sender, read.sender_name) == ("ana@example.com", "P, Ana")
    assert read.recipients == ("a@example.com", "b@example.com")


@pytest.mark.parametrize(
    ("headers", "sender", "reason"),
    [
        pytest.param(["Auto-Submitted: auto-generated"], "a@b.c", "auto_reply", id="auto-generated"),
        pytest.param(["Auto-Submitted: no"], "a@b.c", None, id="not automatic"),
        pytest.param(["Precedence: bulk"], "a@b.c", "auto_reply", id="bulk"),
        pytest.param(["X-Auto-Response-Suppress: OOF, AutoReply"], "a@b.c", "auto_reply", id="Exchange"),
        pytest.param(["List-Id: <news.example.com>"], "a@b.c", "mailing_list", id="list"),
        pytest.param(["Return-Path: <>"], "a@b.c", "bounce", id="null return path"),
        pytest.param([], "mailer-daemon@b.c", "bounce", id="mailer-daemon"),
        pytest.param(["Content-Type: multipart/report; boundary=x"], "a@b.c", "bounce", id="report"),
        pytest.param(["Subject: Automatic reply: hola"], "a@b.c", "auto_reply", id="Outlook, English"),
        pytest.param(["Subject: Respuesta automática: hola"], "a@b.c", "auto_reply", id="Outlook, Spanish"),
        pytest.param(["Subject: Fuera de la oficina"], "a@b.c", "auto_reply", id="out of office, Spanish"),
        pytest.param(["Subject: Re: La respuesta automática no sale"], "a@b.c", None, id="about an automatic reply"),
        pytest.param(["Subject: No arranca"], "a@b.c", None, id="a person"),
    ],
)
def test_what_nobody_wrote_is_known(headers: list[str | bytes], sender: str, reason: str | None) -> None:
    assert mail(*headers, sender=sender).automatic == reason


@pytest.mark.parametrize(
    ("results", "is_disproved"),
    [
        pytest.param("mx; dmarc=fail (p=none)", True, id="DMARC"),
        pytest.param("mx; spf=fail; dkim=none", True, id="SPF and no DKIM"),
        pytest.param("mx; spf=fail; dkim=pass", False, id="forwarded"),
        pytest.param("mx; spf=softfail", False, id="soft"),
        pytest.param("mx; spf=pass; dkim=pass; dmarc=pass", False, id="right"),
        pytest.param("mx 1; dmarc/1 = FAIL header.from=x", True, id="with versions"),
        pytest.param("spf=fail; dkim=none; dmarc=pass action=none", False, id="without the server's name"),
        pytest.param("mx; none", False, id="nothing was checked"),
        pytest.param("mx; spf=pass smtp.mailfrom=dmarc=pass@evil.example; dmarc=fail", True, id="in a value"),
        pytest.param("mx; spf=fail smtp.mailfrom=dkim=pass@evil.example", True, id="another method in a value"),
        pytest.param("mx; spf=fail smtp.helo=dmarc=pass", True, id="last in a value"),
        pytest.param("mx; dmarc=fail (dmarc=pass)", True, id="in a comment"),
        pytest.param("mx; dmarc=fail (a (b) ; dmarc=pass)", True, id="in a nested comment"),
        pytest.param("mx (; dmarc=fail ;); dmarc=pass", False, id="a failure in a comment"),
        pytest.param('mx; spf=fail reason="a; dmarc=pass"', True, id="in a quoted string"),
        pytest.param(r'mx; spf=fail reason="a\"; dmarc=pass"', True, id="behind an escaped quote"),
        pytest.param(r"mx; spf=fail (\) ; dmarc=pass)", True, id="behind an escaped bracket"),
        pytest.param("mx; dmarc=pass; dmarc=fail", True, id="both"),
        pytest.param("mx; dmarc=pass@evil.example; spf=fail", True, id="no result"),
        pytest.param('mx; spf=pass smtp.mailfrom="(@evil.example; dmarc=fail', True, id="no end of a quoted string"),
        pytest.param("mx; spf=pass smtp.mailfrom=(@evil.example; dmarc=fail", True, id="no end of a comment"),
        pytest.param("mx; spf=fail x==?utf-8?q?=3B_dmarc=3Dpass?=", True, id="encoded"),
    ],
)
def test_a_disproved_sender_is_known(results: str, is_disproved: bool) -> None:
    assert mail(f"Authentication-Results: {results}").is_disproved is is_disproved


PIECES = ["dmarc=pass", "dmarc=fail", "dkim=pass", "spf=fail", ";", " ", "(", ")", '"', "\\", "@evil.example", "a"]
SAID = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
HIDDEN = st.one_of(
    SAID.map(lambda said: "(" + said.translate({ord(one): f"\\{one}" for one in "()\\"}) + ")"),
    SAID.map(lambda said: 'reason="' + said.translate({ord(one): f"\\{one}" for one in '"\\'}) + '"'),
    st.lists(st.sampled_from(["dmarc=pass", "dkim=pass", "@evil.example"]), max_size=3).map(
        lambda said: f"smtp.mailfrom={''.join(said)}"
    ),
)


@given(hidden=st.lists(HIDDEN, max_size=3), results=st.permutations(["spf=fail", "dkim=none", "dmarc=fail"]))
def test_nothing_that_a_sender_says_of_itself_proves_it(hidden: list[str], results: list[str]) -> None:
    parts = [" ".join([result, *hidden]) for result in results]
    assert mail(f"Authentication-Results: {'; '.join(['mx', *parts])}").is_disproved


@given(hidden=st.lists(HIDDEN, max_size=3))
def test_nothing_that_a_sender_says_of_itself_disproves_it(hidden: list[str]) -> None:
    assert not mail(f"Authentication-Results: mx; {' '.join(['dmarc=pass', *hidden])}").is_disproved


@pytest.mark.parametrize(
    ("sender", "address", "is_disproved"),
    [
        pytest.param('"ana@example.com" <eva@example.com>', "eva@example.com", False, id="a name like an address"),
        pytest.param("=?utf-8?q?ana=40example.com=2C?= <eva@x.org>", "eva@x.org", False, id="an encoded name like two"),
        pytest.param("(ana@example.com) eva@x.org", "eva@x.org", False, id="a comment"),
        pytest.param("ana@example.com <Ana@example.com>", "ana@example.com", False, id="twice the same"),
        pytest.param("ana@example.com, eva@x.org", "ana@example.com", True, id="two"),
        pytest.param("ana@example.com <eva@x.org>", "ana@example.com", True, id="two without a comma"),
        pytest.param("eva@x.org\r\nFrom: ana@example.com", "eva@x.org", True, id="two headers"),
    ],
)
def test_a_mail_of_several_senders_is_nobody_s(sender: str, address: str, is_disproved: bool) -> None:
    read = mail("Authentication-Results: mx; dmarc=pass", sender=sender)
    assert (read.sender, read.is_disproved) == (address, is_disproved)


def test_a_repetition_says_the_same_whatever_was_added_on_its_way() -> None:
    said = ["Message-ID: <a@b.c>", "Subject: No arranca"]
    file = b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n%s\r\n"
    first = mail(*said, body=b"Hola\r\n\r\nAna\r\n")
    again = ["Received: from elsewhere", "X-Spam: no", *said, "Content-Transfer-Encoding: base64"]
    assert mail(*again, body=b"SG9sYQoKQW5hCg==").digest == first.digest
    others = [
        mail(*said, body=b"Hola\r\n\r\nEva\r\n"),
        mail(said[0], "Subject: Ya arranca", body=b"Hola\r\n\r\nAna\r\n"),
        mail(*said, body=b"Hola\r\n\r\nAna\r\n", sender="eva@example.com"),
        multipart("mixed", b"\r\nHola", file % b"x"),
        multipart("mixed", b"\r\nHola", file % b"y"),
    ]
    assert len({one.digest for one in (first, *others)}) == 6


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Subject: a\r\n\r\nhola", id="no sender"),
        pytest.param(b"From: nobody\r\n\r\nhola", id="no address"),
        pytest.param(
            b"From: a@b.c\r\n"
            + b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(500)),
            id="nested 500 deep",
        ),
        pytest.param(
            b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 400, id="400 parts"
        ),
        pytest.param(b"From: a@b.c\r\n\r\n" + b"\n" * 2_000_001, id="lines without end"),
    ],
)
def test_what_cannot_be_read_is_told(raw: bytes) -> None:
    with pytest.raises(MailUnreadable):
        parse_mail(raw)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "html",
    ["<a ", "<!--", "<div>", "<blockquote>", "<a b='", "<script>", "&#", "&" + "9" * 5000],
    ids=lambda one: one[:8],
)
def test_html_made_to_take_long_does_not(html: str) -> None:
    mail("Content-Type: text/html", body=html.encode() * (300_000 // len(html)))


def test_a_subject_is_fit_for_a_list() -> None:
    assert display_subject("a\n b") == "a b"
    assert len(display_subject("x" * 10_000)) == 200
    assert display_subject(" ") == "(sin asunto)"
    assert numbers_in("Re: [IREO-12] y exp-7, no IREO-12x ni 2026-05") == ("IREO-12", "EXP-7")


_PIECES = st.sampled_from(
    [
        b"From: a@b.c\r\n",
        b"From: =?utf-8?q?=ff?= <a@b.c>\r\n",
        b"Subject: =?x?b?//8?=\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b'Content-Type: multipart/alternative; boundary="x\r\n',
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: uuencode\r\n",
        b"Content-Disposition: attachment; filename*0*=x''%ff; filename*1=\"\r\n",
        b"Date: Mon, 99 Foo 99999 99:99\r\n",
        b"References: <<>\r\n",
        b'To: a,b;:("\r\n',
        b"MIME-Version: 1.0\r\n",
        b"--x\r\n",
        b"--x--\r\n",
        b"\r\n",
        b"\n",
        b"<p>a</p>",
        b"begin 644 x\n",
        b"On a 1:00 <b@c.d> wrote:\n",
        b"\x00\xff\xfe",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(_PIECES, st.binary(max_size=40)), max_size=30))
def test_no_bytes_make_it_fail_otherwise(pieces: list[bytes]) -> None:
    try:
        read = parse_mail(b"".join(pieces))
    except MailUnreadable:
        return
    for text in (read.subject, read.text, read.whole_text, read.message_id, read.sender, *read.recipients):
        text.encode()  # as a database keeps it
        assert "\x00" not in text
    assert not any(character in read.subject for character in "\r\n")
