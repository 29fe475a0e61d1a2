"""Telling mail that no person wrote: answering it begins a loop (RFC 3834)."""

import re
from collections.abc import Mapping

_MAILERS = re.compile(r"(?:mailer-daemon|mail-daemon|postmaster|bounces?|no-?reply-bounce)(?:[+.=-][^@]*)?@.*")
_AUTO_REPLY_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-reply-from", "x-mail-autoreply")
_LIST_HEADERS = ("list-id", "list-post", "list-unsubscribe", "list-help", "list-subscribe", "list-owner")
_SUPPRESSED = re.compile(r"\b(?:all|oof|autoreply)\b", re.IGNORECASE)
_SUBJECTS = re.compile(
    r"^(?:(?:re|rv|fwd?|aw)\s*:\s*)*\W*(?:"
    r"auto(?:matic|m[aá]tica)?[ -]?(?:reply|response|respuesta)|autorespuesta|autoreply|"
    r"respuesta (?:autom[aá]tica|de ausencia)|mensaje autom[aá]tico|"
    r"out of (?:the )?office|fuera de (?:la )?oficina|ausencia (?:de|por)|ausente\b|estoy (?:ausente|de vacaciones)|"
    r"on (?:vacation|holiday|annual leave)\b|"
    r"undeliver(?:able|ed)|delivery (?:status notification|failure|has failed)|mail delivery (?:failed|subsystem)|"
    r"returned mail|failure notice|no se (?:pudo|puede) entregar|"
    r"error (?:de|en la) entrega|devuelto:|read:|le[ií]do:|not read:)",
    re.IGNORECASE,
)


def automatic_reason(
    headers: Mapping[str, str], *, sender: str, subject: str, content_type: str, return_path: str | None
) -> str | None:
    """Return why a mail is taken for an automatic one: `bounce`, `auto_reply`, `mailing_list`; None for a person's.

    `headers` by name in lower case; `return_path` is the envelope's sender, empty where a bounce has none.
    """
    null_path = headers.get("return-path", "").strip() == "<>" or (
        return_path is not None and return_path.strip("<> ") == ""
    )
    if null_path or content_type == "multipart/report" or _MAILERS.fullmatch(sender):
        return "bounce"
    submitted = headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    precedence = headers.get("precedence", "").strip().lower()
    if (
        submitted not in ("no", "")
        or precedence in ("auto_reply", "auto-reply", "junk", "bulk")
        or any(name in headers for name in _AUTO_REPLY_HEADERS)
        or _SUPPRESSED.search(headers.get("x-auto-response-suppress", "")[:200])
        or _SUBJECTS.match(subject[:300])
    ):
        return "auto_reply"
    if precedence == "list" or any(name in headers for name in _LIST_HEADERS):
        return "mailing_list"
    return None
