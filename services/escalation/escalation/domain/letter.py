"""A message as it goes by e-mail (RFC 5322): the same message has the same Message-ID however often it is sent."""

import html
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

_MESSAGE_ID = re.compile(r"<?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:@[^<>\s]+)?>?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """All that an e-mail says. `link` is where its reader acknowledges by a click, where that is asked for."""

    message_id: UUID
    sender: str
    to: str
    subject: str
    body: str
    language: str
    queued_at: datetime
    html: str | None = None
    ticket_id: UUID | None = None
    ticket_number: str | None = None
    link: str | None = None


def write_letter(letter: Letter) -> EmailMessage:
    """Write the e-mail. :raises ValueError: if an address or a header cannot be written"""
    domain = letter.sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(letter.sender)
    mail["To"] = _address(letter.to)
    mail["Subject"] = numbered_subject(letter.subject, letter.ticket_number)
    mail["Date"] = letter.queued_at
    mail["Message-ID"] = f"<{letter.message_id}@{domain}>"
    if letter.ticket_id is not None:
        # No mail has this id; it is what keeps the mails of one ticket together.
        mail["In-Reply-To"] = mail["References"] = f"<ticket-{letter.ticket_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_plain(letter))
    mail.add_alternative(markup_of(letter), subtype="html")
    mail["Content-Language"] = letter.language
    return mail


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (MessageError, IndexError) as error:  # IndexError: what the standard library makes of some addresses
        raise ValueError(f"{text!r} is no address") from error


def numbered_subject(subject: str, number: str | None) -> str:
    """Return a subject that has the number of its ticket in it."""
    return subject if number is None or number in subject else f"[{number}] {subject}"


def read_message_id(text: str) -> UUID | None:
    """Return the message that a Message-ID of ours names: `<id@domain>`, or the bare id."""
    found = _MESSAGE_ID.fullmatch(text.strip())
    return UUID(found[1]) if found else None


def markup_of(letter: Letter) -> str:
    """Write the body as simple HTML; what came as text is text."""
    body = letter.html if letter.html is not None else paragraphs(letter.body)
    link = ""
    if letter.link:
        link = f'<p><a href="{html.escape(letter.link)}">{_link_words(letter.language)}</a></p>'
    return f'<!doctype html><html lang="{html.escape(letter.language)}"><body>{body}{link}</body></html>\n'


def _plain(letter: Letter) -> str:
    return f"{letter.body}\n" + (f"\n{_link_words(letter.language)}: {letter.link}\n" if letter.link else "")


def paragraphs(text: str) -> str:
    """Write text as markup."""
    return "".join(
        f"<p>{html.escape(part.strip()).replace(chr(10), '<br>')}</p>" for part in re.split(r"\n\s*\n", text)
    )


def _link_words(language: str) -> str:
    return "Acusar recibo" if language == "es" else "Acknowledge"
