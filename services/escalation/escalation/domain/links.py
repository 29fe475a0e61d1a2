"""Links that may be followed without a key: what they are for, for whom and until when, signed."""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from plazo.kernel.errors import Kind, PlazoError

LIFETIME = timedelta(days=7)

_PURPOSE = b"plazo acknowledgement v1"
_MARK_BYTES = 20


class LinkInvalid(PlazoError):
    """The link was not made here, or was changed."""

    kind = Kind.NOT_FOUND
    code = "link-invalid"


class LinkExpired(PlazoError):
    """The link was good once."""

    kind = Kind.CONFLICT
    code = "link-expired"


@dataclass(frozen=True, slots=True)
class Link:
    """Lets the addressee of a message acknowledge it, until `expires_at` by the present of its desk."""

    desk_id: UUID
    message_id: UUID
    expires_at: datetime
    purpose: Literal["acknowledge"] = "acknowledge"


def sign_link(link: Link, *, key: bytes) -> str:
    """Return the token of a link: the same link gives the same token."""
    body = link.desk_id.bytes + link.message_id.bytes + int(link.expires_at.timestamp()).to_bytes(6)
    return base64.urlsafe_b64encode(body + _mark(body, link.desk_id, key)).decode().rstrip("=")


def read_link(token: str, *, key: bytes) -> Link:
    """Return the link that a token was made for; whether it has expired is asked of :func:`check_expiry`.

    :raises LinkInvalid: if it was not made with this key
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    body, mark = raw[:-_MARK_BYTES], raw[-_MARK_BYTES:]
    if len(body) != 38 or not hmac.compare_digest(mark, _mark(body, UUID(bytes=body[:16]), key)):
        raise LinkInvalid("this link is not valid; open the one in the message again, or ask the desk")
    expires_at = datetime.fromtimestamp(int.from_bytes(body[32:]), UTC)
    return Link(desk_id=UUID(bytes=body[:16]), message_id=UUID(bytes=body[16:32]), expires_at=expires_at)


def check_expiry(link: Link, *, now: datetime) -> None:
    """Let a link pass that is still good. :raises LinkExpired: if it is not"""
    if link.expires_at <= now:
        raise LinkExpired(f"this link was good until {link.expires_at:%Y-%m-%d %H:%M} UTC; ask the desk")


def _mark(body: bytes, desk_id: UUID, key: bytes) -> bytes:
    # A key of its own for each desk: what one desk signs is worth nothing in another.
    of_desk = hmac.digest(key, _PURPOSE + desk_id.bytes, "sha256")
    return hmac.digest(of_desk, body, "sha256")[:_MARK_BYTES]
