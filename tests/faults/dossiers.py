"""What differs between a ticket as it must be and as it is shown, in words."""

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from faults.live import Excuse, excuses_of
from faults.observe import Observed
from faults.oracle.chain import first_fault
from faults.oracle.clock import Shown
from faults.oracle.ticket import Escalation, TicketStory
from faults.words import instant, words

#: What a live desk is told at an instant that nobody can foretell.
_UNTIMED = ("acknowledged", "notified", "notice_sent", "charged")
#: What a live desk may tell too much of, where time came before the news that took its cause away.
_EXCUSED = (
    "clock_warned",
    "clock_breached",
    "clock_breach_retracted",
    "clock_rescheduled",
    "escalated",
    "escalation_step",
    "escalation_stopped",
    "notified",
    "notice_sent",
)
_MEETING = ("starts_at", "ends_at", "settled_at")
_INSTANTS = ("started_at", "due_at", "stopped_at", "breached_at")


def ticket_differences(story: TicketStory, observed: Observed, *, is_live: bool) -> Iterator[str]:
    """Say what differs of a ticket, its clocks, timeline, escalations, messages, files and charges."""
    ticket = observed.ticket
    severity, priority = story.contract.grades(story.facts, story.plan)
    is_timed = not is_live
    wanted: dict[str, Any] = {
        "state": story.state,
        "cycle": story.cycle,
        "level": story.level,
        "team": story.team,
        "assignee": story.names.get(story.holder or ""),
        "waits": sorted(story.waits),
        "severity": severity,
        "priority": priority,
        "opened_at": story.opened_at,
        "closed_at": story.closed_at,
        "closed_for": story.closed_for,
        "held for": story.held_for,
        "resolved_at": story.resolved_at,
        "attempts": len(story.attempts),
        "closes_at": story.closes_at,
        "acknowledged_at": story.acknowledged_at if is_timed else story.acknowledged_at is not None,
    }
    found = {
        **{name: ticket.get(name) for name in wanted},
        "waits": sorted(ticket["waits"]),
        "opened_at": instant(ticket["opened_at"]),
        "closed_at": instant(ticket["closed_at"]),
        "held for": ticket["hold"]["reason"] if ticket["hold"] else None,
        "resolved_at": instant(ticket["resolution"]["resolved_at"]) if ticket["resolution"] else None,
        "attempts": ticket["attempts"]["made"],
        "closes_at": instant(ticket["attempts"]["closes_at"]),
        "acknowledged_at": instant(ticket["acknowledged_at"]) if is_timed else ticket["acknowledged_at"] is not None,
    }
    for name, value in wanted.items():
        if found[name] != value:
            yield f"{name} {words(value)} expected, found {words(found[name])}"
    for where, clocks in (("ticket", ticket["clocks"]), ("sla-clock", observed.clocks)):
        yield from _clock_differences(story, clocks, where=where)
    excuses = excuses_of(observed) if is_live else []
    _settle_ties(story, observed)
    yield from _timeline_differences(story, observed, excuses, is_live=is_live)
    yield from _escalation_differences(story, observed, excuses)
    yield from _message_differences(story, observed, excuses)
    yield from _file_differences(story, observed)
    yield from _meeting_differences(story, observed)
    fault = first_fault(story.ticket_id, observed.timeline, observed.head)
    if fault is not None:
        yield f"the chain of its timeline is broken: {fault}"
    told = Counter(entry["data"]["quantity"] for entry in observed.timeline if entry["kind"] == "charged")
    made = Counter(charge["quantity"] for charge in observed.charges)
    if told != made:
        yield f"charges {dict(made)} in billing, {dict(told)} in its timeline"
    shown = Counter(charge["quantity"] for charge in ticket["charges"])
    if shown != made:
        yield f"charges {dict(made)} in billing, {dict(shown)} shown with the ticket"


def _settle_ties(story: TicketStory, observed: Observed) -> None:
    """Let an escalation be completed that was to be stopped, where all its steps were due before.

    It was raised late, about the past: nobody is told whether its last step or what stopped it came first.
    """
    for wanted in story.escalations:
        fired = [step.fired_at for step in wanted.steps if step.fired_at is not None]
        found = next((one for one in observed.escalations if _is_same(wanted, one)), None)
        if (
            found is not None
            and (wanted.state, found["state"]) == ("stopped", "completed")
            and wanted.ended_at is not None
            and len(fired) == len(wanted.steps) > 0
            and max(fired) <= wanted.ended_at
        ):
            story.timeline["escalation_stopped", wanted.ended_at] -= 1
            wanted.state, wanted.reasons, wanted.ended_at = "completed", (), max(fired)


def _clock_differences(story: TicketStory, clocks: list[dict[str, Any]], *, where: str) -> Iterator[str]:
    found = {
        (one["kind"], one["cycle"]): Shown(
            one["kind"],
            one["cycle"],
            one["state"],
            *(instant(one[name]) for name in _INSTANTS),  # type: ignore[arg-type]
        )
        for one in clocks
    }
    expected = {(clock.kind, clock.cycle): clock.shown(story.present) for clock in story.clocks}
    if len(found) != len(clocks):
        yield f"{where} shows a clock twice: {sorted((one['kind'], one['cycle']) for one in clocks)}"
    for kind, cycle in sorted(expected.keys() | found.keys()):
        name = f"{kind} clock of cycle {cycle} ({where})"
        wanted, shown = expected.get((kind, cycle)), found.get((kind, cycle))
        if wanted is None:
            yield f"{name}: found, and never promised"
        elif shown is None:
            yield f"{name}: is not there"
        else:
            for field_name in ("state", "started_at", "due_at", "stopped_at", "breached_at"):
                one, other = getattr(wanted, field_name), getattr(shown, field_name)
                if one != other:
                    yield f"{name}: {field_name} {words(one)} expected, found {words(other)}"


def _timeline_differences(
    story: TicketStory, observed: Observed, excuses: list[Excuse], *, is_live: bool
) -> Iterator[str]:
    # Which messages wait, to go out together, depends on what else there was to tell somebody: each goes out once. One
    # that waited and was left alone went out by itself, later than it was written.
    waited = {
        message["message_id"]
        for message in observed.messages
        if message["state"] == "digested" or (not is_live and message["sent_at"] not in (None, message["queued_at"]))
    }
    told_late = [
        entry["data"]["message_id"]
        for entry in observed.timeline
        if entry["kind"] == "notice_sent" and entry["data"]["message_id"] in waited
    ]
    for message_id in Counter(told_late) - Counter(set(told_late)):
        yield f"timeline: message {message_id} was sent twice, having waited"
    entries = [
        one for one in observed.timeline if one["kind"] != "notice_sent" or one["data"]["message_id"] not in waited
    ]
    found = Counter((entry["kind"], instant(entry["occurred_at"])) for entry in entries if entry["kind"] != "charged")
    expected: Counter[Any] = Counter({moment: count for moment, count in story.timeline.items() if count})
    if is_live:
        # Nobody can foretell when a message is written; how many there are is told by the messages.
        found = Counter({one: count for one, count in found.items() if one[0] not in _UNTIMED})
        expected = Counter({one: count for one, count in expected.items() if one[0] not in _UNTIMED})
        # One that is held back, to come with others in a digest, does not go out by itself.
        written = Counter(message["message_id"] for message in observed.messages)
        sent = Counter(message["message_id"] for message in observed.messages if message["sent_at"])
        for kind, messages in (("notified", written), ("notice_sent", sent)):
            told = Counter(entry["data"]["message_id"] for entry in entries if entry["kind"] == kind)
            if told != messages:
                yield f"timeline: {kind} {sum(told.values())} times for {sum(messages.values())} messages"
    for kind, at in sorted((expected - found).elements(), key=str):
        yield f"timeline: {kind} at {words(at)} is missing"
    for kind, at in sorted((found - expected).elements(), key=str):
        if not (kind in _EXCUSED and any(one.covers(at) for one in excuses)):
            yield f"timeline: {kind} at {words(at)} too often"
    said = [kind for kind, _ in story.said]
    kinds = {*said}
    order = [entry["kind"] for entry in observed.timeline if entry["kind"] in kinds]
    own = Counter(said)
    if Counter(order) == own and order != said:
        yield f"timeline: said in the order {order}, expected {said}"


def _escalation_differences(story: TicketStory, observed: Observed, excuses: list[Excuse]) -> Iterator[str]:
    left = [*observed.escalations]
    for wanted in story.escalations:
        same = [one for one in left if _is_same(wanted, one)]
        name = f"escalation by {wanted.trigger} of {wanted.kind} at {words(wanted.raised_at)}"
        if not same:
            yield f"{name}: is not there"
            continue
        shown = same[0]
        left.remove(shown)
        if (shown["state"], instant(shown["ended_at"])) != (wanted.state, wanted.ended_at):
            if not excuses:
                yield (
                    f"{name}: {wanted.state} at {words(wanted.ended_at)} expected, found {shown['state']} at "
                    f"{shown['ended_at']}"
                )
        elif wanted.reasons and shown["end_reason"] not in wanted.reasons:
            yield f"{name}: ended for {wanted.reasons} expected, found {shown['end_reason']}"
        if instant(shown["acknowledged_at"]) != wanted.acknowledged_at:
            yield (f"{name}: acknowledged {words(wanted.acknowledged_at)} expected, found {shown['acknowledged_at']}")
        if len(shown["steps"]) != len(wanted.steps):
            yield f"{name}: {len(wanted.steps)} steps expected, found {len(shown['steps'])}"
            continue
        yield from _step_differences(name, wanted, shown, excuses)
    for shown in left:
        at = instant(shown["raised_at"])
        if not any(one.covers(at) for one in excuses):
            yield f"an escalation by {shown['trigger']} of {shown['kind']} at {words(at)} that nothing set off"


def _step_differences(name: str, wanted: Escalation, shown: Mapping[str, Any], excuses: list[Excuse]) -> Iterator[str]:
    for number, (step, found) in enumerate(zip(wanted.steps, shown["steps"], strict=True), 1):
        state = "planned" if found["state"] == "armed" else found["state"]
        taken = (state, instant(found["due_at"]), instant(found["fired_at"]))
        if taken != (step.state, step.due_at, step.fired_at):
            if any(one.covers(instant(found["fired_at"])) for one in excuses):
                continue
            yield (
                f"{name}: step {number} {step.state}, due {words(step.due_at)}, taken {words(step.fired_at)} "
                f"expected, found {found['state']}, {found['due_at']}, {found['fired_at']}"
            )


def _is_same(wanted: Escalation, shown: Mapping[str, Any]) -> bool:
    return (wanted.trigger, wanted.kind, wanted.threshold, wanted.raised_at) == (
        shown["trigger"],
        shown["kind"],
        shown["threshold"],
        instant(shown["raised_at"]),
    )


def _message_differences(story: TicketStory, observed: Observed, excuses: list[Excuse]) -> Iterator[str]:
    found = Counter(
        (one["event"], one["template"], one["to"]) for one in observed.messages if one["template"] != "digest"
    )
    for event, template, to in (story.messages - found).elements():
        yield f"message {template} of {event} to {to} is missing"
    for event, template, to in (found - story.messages).elements():
        if not (excuses and event.startswith("escalation.")):
            yield f"message {template} of {event} to {to} too often"


def _file_differences(story: TicketStory, observed: Observed) -> Iterator[str]:
    expected = Counter(story.files)
    found = Counter((one["attachment_id"], one["name"], one["internal"], one["sha256"]) for one in observed.attachments)
    for file in (expected - found).elements():
        yield f"file {words(file)} was attached, and is not listed so"
    for file in (found - expected).elements():
        yield f"file {words(file)} is listed, and was not attached so"
    for file_id, name, _, digest in story.files:
        content = observed.contents.get(file_id)
        if content is None or sha256(content).hexdigest() != digest:
            yield f"file {name} does not hold the bytes that were attached"


def _meeting_differences(story: TicketStory, observed: Observed) -> Iterator[str]:
    expected = Counter(
        (meeting_id, one.state, one.starts_at, one.ends_at, one.settled_at, one.late)
        for meeting_id, one in story.meetings.items()
    )
    found = Counter(
        (one["appointment_id"], one["state"], *(instant(one[name]) for name in _MEETING), one["late"])
        for one in observed.appointments
    )
    for meeting in (expected - found).elements():
        yield f"appointment {words(meeting)} is not there"
    for meeting in (found - expected).elements():
        yield f"appointment {words(meeting)} was not agreed on so"
