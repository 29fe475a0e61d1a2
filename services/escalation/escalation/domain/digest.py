"""When somebody is told: at once, later because it is quiet, or in one message with others because it is a storm.

Windows are contract time, so that a test clock moves them; what is held back comes when `sla-clock` says so.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from escalation.domain.messages import Language, Words
from plazo.calendar import NeverDue, compile_calendar, parse_target
from plazo.policy.decide import Facts, Place, calendar_of, matches
from plazo.policy.document import Policy
from plazo.policy.handling import ChannelName, Digest

#: What holds where neither policy nor desk say otherwise: a storm is no storm of messages.
STORM = Digest(every="15m", above=10)

_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """How much one person was told by one channel since `opened_at`, and how much is held until `release_at`."""

    window_id: UUID
    opened_at: datetime
    closes_at: datetime
    told: int = 0
    held: int = 0
    release_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a message goes: `is_held` for the digest of the window, else out at once.

    `ask_for` is the instant to be told of, given once for each window that holds something.
    """

    window: Window
    is_held: bool
    ask_for: datetime | None = None


def quiet_until(
    policy: Policy, channel: ChannelName, *, at: datetime, facts: Facts, place: Place | None
) -> datetime | None:
    """Return when quiet hours end, if they hold at an instant for what is so urgent as the `facts` say.

    Hours that never come again, or whose calendar is not in force yet, keep nothing quiet: what would be held back for
    them is told at once.
    """
    setting = policy.channels.get(channel)
    if setting is None or setting.quiet is None:
        return None
    if setting.quiet.unless and matches(setting.quiet.unless, facts):
        return None
    hours = compile_calendar(calendar_of(policy, setting.quiet.calendar, customer=place))
    if not hours.is_in_force(at):
        return None
    try:
        opening = hours.next_opening(at)
    except NeverDue:
        return None
    return opening if opening > at else None


def digest_of(policy: Policy, channel: ChannelName, *, of_desk: Digest | None) -> Digest:
    """Return the digest that holds for a channel: the policy's, else the desk's, else the usual one."""
    setting = policy.channels.get(channel)
    return (setting.digest if setting else None) or of_desk or STORM


def span_of(digest: Digest) -> timedelta:
    """Return how long a window lasts."""
    return parse_target(digest.every).length


def place_message(
    window: Window | None, *, new_id: UUID, at: datetime, digest: Digest, quiet: datetime | None
) -> Placement:
    """Place a message at an instant; a window that is over, and holds nothing, makes room for the next.

    What comes while something is held is held too: nobody is told of the second thing first.
    """
    if window is None or (window.held == 0 and window.closes_at <= at):
        window = Window(window_id=new_id, opened_at=at, closes_at=at + span_of(digest))
    if window.held:
        return Placement(replace(window, held=window.held + 1), is_held=True)
    if quiet is None and window.told < digest.above:
        return Placement(replace(window, told=window.told + 1), is_held=False)
    # In quiet hours what comes until their end is one message; the storm may outlast them.
    over = window.told >= digest.above
    release = max(window.closes_at, quiet) if quiet and over else quiet or window.closes_at
    return Placement(replace(window, held=1, release_at=release), is_held=True, ask_for=release)


@dataclass(frozen=True, slots=True)
class Line:
    """One message that goes into a digest."""

    number: str
    subject: str


def word_digest(lines: Sequence[Line], *, language: Language) -> tuple[Words, str]:
    """Write one message that stands for many, as text and as markup."""
    count = len(lines)
    spanish = language == "es"
    subject = f"{count} avisos" if spanish else f"{count} notices"
    head = ("Ticket", "Aviso") if spanish else ("Ticket", "Notice")
    shown = lines[:_LISTED]
    more = count - len(shown)
    last = (f"y {more} más" if spanish else f"and {more} more") if more else ""
    body = "\n".join([f"{subject}:", "", *(f"{one.number}  {one.subject}" for one in shown), *([last] if last else [])])
    rows = "".join(f"<tr><td>{html.escape(one.number)}</td><td>{html.escape(one.subject)}</td></tr>" for one in shown)
    table = f"<table><tr><th>{head[0]}</th><th>{head[1]}</th></tr>{rows}</table>"
    markup = f"<p>{subject}:</p>{table}" + (f"<p>{last}</p>" if last else "")
    return Words(subject=subject, body=body), markup
