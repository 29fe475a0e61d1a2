"""What a partner was sent, against the dossiers of the same desk: each event at least once, in order, and no other."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from faults.receiver import Post

#: What each entry of a dossier is announced as; attempts to reach the customer apart.
_EVENTS: Mapping[str, str] = {
    "opened": "ticket.opened",
    "acknowledged": "ticket.acknowledged",
    "reply": "ticket.answered",
    "call": "ticket.answered",
    "customer_reply": "ticket.customer_replied",
    "attachment_added": "ticket.attachment_added",
    "wait_started": "ticket.wait_started",
    "wait_ended": "ticket.wait_ended",
    "date_agreed": "ticket.date_agreed",
    **{f"appointment_{what}": f"appointment.{what}" for what in ("scheduled", "kept", "missed", "cancelled")},
    "resolved": "ticket.resolved",
    "closed": "ticket.closed",
    "reopened": "ticket.reopened",
    "held": "ticket.held",
    "admitted": "ticket.admitted",
    "released": "ticket.admitted",
    "assigned": "assignment.made",
    "escalated": "escalation.raised",
    "escalation_step": "escalation.step_fired",
    "escalation_stopped": "escalation.stopped",
    "notified": "message.queued",
    "charged": "charge.accrued",
    **{
        f"clock_{what}": f"clock.{what}"
        for what in ("started", "warned", "breached", "breach_retracted", "rescheduled", "stopped", "cancelled")
    },
}
_TOLD = {*_EVENTS.values(), "ticket.contact_attempted"}


def _announced(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry["kind"] != "contact_attempted":
        if entry["kind"] in _EVENTS:
            yield _EVENTS[entry["kind"]]
        return
    result = entry["data"]["result"]
    if entry["data"].get("attempt") is not None and result != "reached":  # others do not count for anybody
        yield "ticket.contact_attempted"
    if result in ("sent", "reached"):
        yield "ticket.answered"


def post_differences(
    posts: Sequence[Post],
    secret: str,
    timelines: Mapping[str, Sequence[Mapping[str, Any]]],
    lows: Counter[tuple[str, int]],
) -> Iterator[str]:
    """Say what was sent otherwise than it has to be; `timelines` are the entries of each ticket.

    `lows` are the balances that were too low, by contract.
    """
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
    warned = Counter(
        (one["data"]["contract_id"], one["data"]["balance"])
        for events in told.values()
        for one in events
        if _name_of(one) == "account.low"
    )
    for low in (lows - warned) + (warned - lows):
        yield f"webhooks of contract {low[0]}: account.low at {low[1]} sent {warned[low]} times, expected {lows[low]}"
    for ticket_id, entries in timelines.items():
        events = told.get(ticket_id, [])
        yield from _of_ticket(f"webhooks of ticket {ticket_id}", events, entries)


def _of_ticket(name: str, events: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    said = [(_name_of(one), datetime.fromisoformat(one["timestamp"])) for one in events if _name_of(one) in _TOLD]
    due = [(event, datetime.fromisoformat(one["occurred_at"])) for one in entries for event in _announced(one)]
    for event, at in (Counter(due) - Counter(said)).elements():
        yield f"{name}: {event} at {at} was not sent"
    for event, at in (Counter(said) - Counter(due)).elements():
        yield f"{name}: {event} at {at} was sent, and is not in the dossier"
    order, sent_in = ([event for event, _ in some if event.startswith("ticket.")] for some in (due, said))
    if Counter(order) == Counter(sent_in) and order != sent_in:
        yield f"{name}: sent in the order {sent_in}, expected {order}"


def _name_of(event: Mapping[str, Any]) -> str:
    return str(event["type"]).rpartition(".v")[0]
