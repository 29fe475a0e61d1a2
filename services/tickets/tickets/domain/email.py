"""An e-mail as it arrives: bytes in, one frozen :class:`Mail` out, whatever the bytes are (RFC 5322, RFC 2045).

Headers are decoded here, not by `email.policy.default`: its grammar takes long over headers made to that end, and has
been seen to raise what it does not name.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime
from uuid import UUID

from plazo.kernel.errors import Kind, PlazoError
from tickets.domain.automatic import automatic_reason
from tickets.domain.quoting import new_text, text_of_html

MOST_PARTS = 300
LONGEST_TEXT = 1_000_000  # characters
_MOST_NESTED = 60
_MOST_BOUNDARIES = 20_000
_MOST_LINES = 2_000_000
_LONGEST_HEADER = 50_000
_LONGEST_PARAMETERS = 4_000
_LONGEST_ID = 400
_LONGEST_NAME = 200
_MOST_REFERENCES = 50
_SLOW_CODECS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf_7", "utf-7"}

_NESTING = re.compile(rb"multipart/|message/(?:rfc822|global|partial|external-body)", re.IGNORECASE)
# The time in which the library reads parameters grows with the square of their length; it does so for every part.
_PARAMETERS = re.compile(
    rb"(?:\A|[\r\n])content-(?:type|disposition):[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,400})>")
_ADDRESS = re.compile(r"[^@\s<>()\",;:\\]{1,64}@[^@\s<>()\",;:\\]{1,190}")
_NUMBER = re.compile(r"(?<![\w-])([A-Za-z][A-Za-z0-9]{0,15}-[0-9]{1,15})(?![\w-])")
# What a comment or a quoted string begins or ends with, what it hides, and what separates results (RFC 8601, 2.2).
_MARK = re.compile(r'\\.|["();]', re.DOTALL)
_RESULT = re.compile(r"\s*([a-z0-9-]+)\s*(?:/\s*[0-9]+\s*)?=\s*([a-z0-9-]+)(?=\s|\Z)")


class MailUnreadable(PlazoError):
    """The bytes are no e-mail that can be read: no sender, or nested beyond all use."""

    kind = Kind.INVALID
    code = "mail-unreadable"


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file that came with a mail, under the name and type that the sender declared."""

    name: str
    declared_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says.

    Addresses are in lower case. `recipients` are all that its headers name. `references` are the message ids it
    answers, the nearest first. `text` is what is new in it, `whole_text` all of it. `automatic` says why no person
    wrote it, and is None where one did. `is_disproved`: the receiving server checked the sender and found it false, or
    the mail names several, so that nobody knows which of them was checked. `digest` is of what it says: a repetition
    has the same, whatever servers on its way added to it.
    """

    message_id: str
    sender: str
    sender_name: str | None
    recipients: tuple[str, ...]
    subject: str
    sent_at: datetime | None
    references: tuple[str, ...]
    text: str
    whole_text: str
    attachments: tuple[MailAttachment, ...]
    automatic: str | None
    is_disproved: bool
    digest: str


def parse_mail(raw: bytes, *, return_path: str | None = None) -> Mail:
    """Read a mail. `return_path` is the envelope's sender where it is known; empty for a bounce.

    :raises MailUnreadable: for bytes without a sender's address, nested too deep, or made to take for ever
    """
    if len(_NESTING.findall(raw)) > _MOST_NESTED:
        raise MailUnreadable(f"the message is nested too deep; at most {_MOST_NESTED} multiparts are read")
    if raw.count(b"\n--") > _MOST_BOUNDARIES or raw.count(b"\n") > _MOST_LINES:
        raise MailUnreadable(f"the message has too many parts or lines; at most {_MOST_LINES:,} lines are read")
    if any(len(found[0]) > _LONGEST_PARAMETERS for found in _PARAMETERS.finditer(raw)):
        raise MailUnreadable(f"a part says what it is in more than {_LONGEST_PARAMETERS:,} characters")
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        parts = list(_leaves(message))
    except (MessageError, RecursionError, ValueError, LookupError, AttributeError) as error:
        raise MailUnreadable(f"the message cannot be read: {type(error).__name__}") from error
    if len(parts) > MOST_PARTS:
        raise MailUnreadable(f"the message has more than {MOST_PARTS} parts")
    headers = _Headers(message)
    senders = headers.addresses("from") or headers.addresses("sender")
    if not senders:
        raise MailUnreadable("the message has no sender: expected a From header with an address")
    name, sender = senders[0]
    whole_text = clean_text(_text(message))[:LONGEST_TEXT]
    subject = headers.line("subject")
    sent_at = _instant(headers.line("date"))
    references = dict.fromkeys(headers.ids("in-reply-to") + headers.ids("references")[::-1])
    own_ids = headers.ids("message-id")
    attachments = tuple(_attachment(part, place) for place, part in enumerate(parts, 1) if not _is_body(part))
    return Mail(
        message_id=own_ids[0] if own_ids else _derived_id(sender, headers.line("date"), subject, whole_text),
        sender=sender,
        sender_name=name[:_LONGEST_NAME] or None,
        recipients=tuple(
            dict.fromkeys(
                address
                for header in ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
                for _, address in headers.addresses(header)
            )
        ),
        subject=subject,
        sent_at=sent_at,
        references=tuple(references)[:_MOST_REFERENCES],
        text=new_text(whole_text),
        whole_text=whole_text,
        attachments=attachments,
        automatic=automatic_reason(
            {name: headers.line(name) for name in headers.names()},
            sender=sender,
            subject=subject,
            content_type=message.get_content_type(),
            return_path=return_path,
        ),
        is_disproved=_names_several(headers) or _is_disproved(headers.plain_line("authentication-results")),
        digest=_digest(sender, subject, whole_text, attachments),
    )


def display_subject(subject: str, *, longest: int = 200) -> str:
    """Return a subject fit for a list: one line, at most `longest` characters; never empty."""
    shown = " ".join(subject.split())
    if not shown:
        return "(sin asunto)"
    return shown if len(shown) <= longest else shown[: longest - 1].rstrip() + "…"


def numbers_in(subject: str) -> tuple[str, ...]:
    """Return what may be ticket numbers in a subject, as they stand there."""
    return tuple(dict.fromkeys(found[0].upper() for found in _NUMBER.finditer(subject[:2000])))[:5]


def sent_message_id(message_id: UUID) -> str:
    """Return under which id a message of `escalation` is known here, whatever domain it is mailed from."""
    return f"{message_id}@plazo"


def clean_text(text: str) -> str:
    """Return text that a database keeps and a page shows: no control characters, no halves of characters."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


class _Headers:
    """The headers of a message, decoded; the first of each name counts, the sender's copies do not."""

    def __init__(self, message: Message) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in message.raw_items():
            self._values.setdefault(name.lower(), []).append(_plain(str(value)))

    def names(self) -> Iterator[str]:
        """Return the names there are, in lower case."""
        return iter(self._values)

    def plain_line(self, name: str) -> str:
        """Return the first header of a name as it stands there, in one line; empty if there is none."""
        return next(iter(self._values.get(name, [])), "")

    def line(self, name: str) -> str:
        """Return the first header of a name as one line; empty if there is none."""
        return _decoded(self.plain_line(name))

    def count(self, name: str) -> int:
        """Return how many headers of a name there are."""
        return len(self._values.get(name, []))

    def ids(self, name: str) -> list[str]:
        """Return the message ids in a header."""
        return _MESSAGE_ID.findall(self.line(name)[: _LONGEST_ID * _MOST_REFERENCES])

    def addresses(self, name: str) -> list[tuple[str, str]]:
        """Return names and addresses in the headers of a name.

        Words are decoded afterwards: a name that decodes to an address is a name, and the servers on the way, which do
        not decode either, checked the address. Where none is found so, whatever looks like one is.
        """
        lines = [value[:20_000] for value in self._values.get(name, [])]
        try:
            pairs = getaddresses(lines)
        except (ValueError, IndexError, RecursionError):
            pairs = []
        found = [(_decoded(shown), address.lower()) for shown, address in pairs if _ADDRESS.fullmatch(address)]
        return found or [("", address.lower()) for line in lines for address in _ADDRESS.findall(_decoded(line))]


def _plain(value: str) -> str:
    """Return a header as one line of text, bytes outside ASCII read as best they can be."""
    raw = value[:_LONGEST_HEADER].encode("utf-8", "surrogateescape")
    return _one_line(_in_charset(raw, "utf-8"))


def _decoded(text: str) -> str:
    """Return one line of text with its RFC 2047 words decoded."""
    if "=?" not in text:
        return text
    try:
        words = decode_header(text)
    except (HeaderParseError, binascii.Error, ValueError, LookupError):
        return text
    decoded = "".join(
        word if isinstance(word, str) else _in_charset(word, charset or "utf-8") for word, charset in words
    )
    return _one_line(decoded or text)


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _in_charset(raw: bytes, charset: str) -> str:
    """Decode as declared; as Windows would where that is no charset; never fail."""
    if charset.lower() not in _SLOW_CODECS:
        try:
            return raw.decode(charset)
        except (LookupError, ValueError, AssertionError):
            pass
    try:
        return raw.decode("utf-8")
    except ValueError:
        return raw.decode("cp1252", "replace")


def _leaves(part: Message) -> Iterator[Message]:
    """Yield the parts that hold something, in order. A message in a message is one part."""
    children = _children(part)
    if children is None or part.get_content_maintype() != "multipart":
        yield part
        return
    for child in children:
        yield from _leaves(child)


def _children(part: Message) -> list[Message] | None:
    if not part.is_multipart():
        return None  # what a part alone holds is not asked for as text: its charset may be none
    return [child for child in part.get_payload() if isinstance(child, Message)]


def _is_body(part: Message) -> bool:
    return (
        part.get_content_type() in ("text/plain", "text/html")
        and part.get_content_disposition() != "attachment"
        and part.get_filename() is None
    )


def _text(part: Message) -> str:
    """Return the text that a person reads: plain where there is plain, else what the HTML says."""
    children = _children(part)
    if children is not None and part.get_content_maintype() == "multipart":
        if part.get_content_type() == "multipart/alternative":
            plain_first = sorted(children, key=lambda child: child.get_content_type() != "text/plain")
            return next((text for child in plain_first if (text := _text(child)).strip()), "")
        return "\n".join(text for child in children if (text := _text(child)).strip())
    if not _is_body(part):
        return ""
    text = _in_charset(_content(part), str(part.get_content_charset("utf-8")))
    return text_of_html(text) if part.get_content_type() == "text/html" else text[:LONGEST_TEXT]


def _content(part: Message) -> bytes:
    if (inner := _children(part)) is not None:
        return b"".join(_as_bytes(message) for message in inner)
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        content = None
    return content if isinstance(content, bytes) else b""


def _as_bytes(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except (ValueError, LookupError, MessageError, RecursionError, AttributeError, TypeError):
        return str(message.get_payload()).encode("utf-8", "replace")


def _attachment(part: Message, place: int) -> MailAttachment:
    try:
        given = part.get_filename()
        name = _decoded(collapse_rfc2231_value(given)) if given is not None else ""
    except (ValueError, LookupError, TypeError):
        name = ""
    name = name.replace("\\", "/").rpartition("/")[2].strip(". ")[:_LONGEST_NAME]
    suffix = ".eml" if part.get_content_maintype() == "message" else ""
    return MailAttachment(
        name=name or f"part-{place}{suffix}",
        declared_type=clean_text(part.get_content_type())[:100],
        content=_content(part),
    )


def _instant(date: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(date)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _derived_id(*parts: str) -> str:
    """Return an id for a mail that has none: the same mail has the same."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()
    return f"{digest[:40]}@no-id.invalid"


def _digest(sender: str, subject: str, text: str, attachments: Iterable[MailAttachment]) -> str:
    """Return a digest of what a mail says: what servers add, fold or recode on its way makes no difference."""
    digest = hashlib.sha256("\x1f".join((sender, subject, " ".join(text.split()))).encode("utf-8", "replace"))
    for one in attachments:
        content = one.content.replace(b"\r\n", b"\n").strip()
        digest.update(f"\x1e{one.name}\x1f".encode("utf-8", "replace") + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _names_several(headers: _Headers) -> bool:
    """Tell whether a mail names more than one author: a server checks one of them, and a reader sees another."""
    return headers.count("from") > 1 or len({address for _, address in headers.addresses("from")}) > 1


def _is_disproved(results: str) -> bool:
    """Tell whether the receiving server's check (RFC 8601) says that the sender is not who it claims to be.

    Much in its line is the sender's own words: addresses, names of machines, reasons. What is hidden in a way that
    never ends hides results too: such a line is taken for a failure.
    """
    parts = _parts(results.lower())
    if parts is None:
        return True
    found = [match.groups() for part in parts if (match := _RESULT.match(part))]
    if ("dmarc", "fail") in found:
        return True
    if ("dmarc", "pass") in found:
        return False
    return ("spf", "fail") in found and ("dkim", "pass") not in found


def _parts(line: str) -> list[str] | None:
    """Return what stands between the semicolons of a line, without comments and quoted strings.

    None for a comment or a quoted string without an end.
    """
    parts, said, depth, is_quoted, at = [], [], 0, False, 0
    for mark in _MARK.finditer(line):
        if depth == 0 and not is_quoted:
            said.append(line[at : mark.start()])
        at = mark.end()
        if mark[0] == '"' and depth == 0:
            is_quoted = not is_quoted
            said.append('"')
        elif mark[0] == "(" and not is_quoted:
            depth += 1
            said.append(" ")
        elif mark[0] == ")" and not is_quoted:
            depth = max(0, depth - 1)
        elif mark[0] == ";" and depth == 0 and not is_quoted:
            parts.append("".join(said))
            said = []
    return None if depth or is_quoted else [*parts, "".join([*said, line[at:]])]
