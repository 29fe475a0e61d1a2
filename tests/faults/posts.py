"""What a partner was sent, against the dossiers of the same desk: each event at least once, in order, and no other."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from faults.receiver import Post

#: The entries of a dossier that each event is announced with.
_ENTRIES: Mapping[str, tuple[str, ...]] = {
    "ticket.opened": ("opened",),
    "ticket.acknowledged": ("acknowledged",),
    "ticket.answered": ("reply", "call"),
    "ticket.customer_replied": ("customer_reply",),
    "ticket.contact_attempted": ("contact_attempted",),
    "ticket.wait_started": ("wait_started",),
    "ticket.wait_ended": ("wait_ended",),
    "ticket.date_agreed": ("date_agreed",),
    "ticket.resolved": ("resolved",),
    "ticket.closed": ("closed",),
    "ticket.reopened": ("reopened",),
    "ticket.held": ("held",),
    "ticket.admitted": ("admitted", "released"),
    "assignment.made": ("assigned",),
    "escalation.raised": ("escalated",),
    "escalation.step_fired": ("escalation_step",),
    "escalation.stopped": ("escalation_stopped",),
    "message.queued": ("notified",),
    "charge.accrued": ("charged",),
    **{
        f"clock.{what}": (f"clock_{what}",)
        for what in ("started", "warned", "breached", "breach_retracted", "rescheduled", "stopped", "cancelled")
    },
}


def post_differences(
    posts: Sequence[Post], secret: str, timelines: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    """Say what was sent otherwise than it has to be; `timelines` are the entries of each ticket."""
    first: dict[str, Post] = {}
    for post in posts:
        if not post.is_signed(secret):
            yield f"webhook {post.event_id}: is not signed with the secret"
        if first.setdefault(post.event_id, post).body != post.body:
            yield f"webhook {post.event_id}: says something else the second time"
    told: dict[str, list[dict[str, Any]]] = {}
    for post in first.values():
        event = json.loads(post.body)
        if event["data"].get("activity") == "receipt":
            continue  # the desk answers by itself: the dossier says acknowledged
        told.setdefault(event["about"], []).append(event)
    for ticket_id, entries in timelines.items():
        events = told.get(ticket_id, [])
        yield from _of_ticket(f"webhooks of ticket {ticket_id}", events, entries)


def _of_ticket(name: str, events: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for event_name, kinds in _ENTRIES.items():
        sent = Counter(
            datetime.fromisoformat(one["timestamp"]) for one in events if one["type"].rpartition(".v")[0] == event_name
        )
        due = Counter(datetime.fromisoformat(one["occurred_at"]) for one in entries if one["kind"] in kinds)
        for at in (due - sent).elements():
            yield f"{name}: {event_name} at {at} was not sent"
        for at in (sent - due).elements():
            yield f"{name}: {event_name} at {at} was sent, and is not in the dossier"
    said = {kind: event_name for event_name, kinds in _ENTRIES.items() for kind in kinds if event_name[:7] == "ticket."}
    order = [said[one["kind"]] for one in entries if one["kind"] in said]
    own = [one["type"].rpartition(".v")[0] for one in events]
    sent_in = [one for one in own if one in _ENTRIES and one.startswith("ticket.")]
    if Counter(order) == Counter(sent_in) and order != sent_in:
        yield f"{name}: sent in the order {sent_in}, expected {order}"
