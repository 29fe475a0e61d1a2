"""Signed links: made for messages as they are shown or sent, never kept."""

import hmac
from datetime import datetime
from uuid import UUID

from escalation.domain.addressees import is_asked
from escalation.domain.links import LIFETIME, Link, sign_link
from plazo.runtime.settings import Settings


def link_key(settings: Settings) -> bytes:
    """Return the key that signs links: its own setting, or one from the operator key."""
    if settings.link_key is not None:
        return settings.link_key.get_secret_value().encode()
    return hmac.digest(settings.operator_key.get_secret_value().encode(), b"plazo links", "sha256")


def acknowledge_path(
    settings: Settings,
    *,
    desk_id: UUID,
    message_id: UUID,
    queued_at: datetime,
    role: str,
    event: str,
    escalation_id: UUID | None,
) -> str | None:
    """Return the path where the addressee of a message acknowledges it; None for one that does not ask for that."""
    if not is_asked(role, escalates=escalation_id is not None or event == "digest"):
        return None
    link = Link(desk_id=desk_id, message_id=message_id, expires_at=queued_at + LIFETIME)
    return f"/v1/acknowledgements/{sign_link(link, key=link_key(settings))}"
