"""The report of a soak, as it is kept in the documentation."""

from pathlib import Path

from faults.breaking import KINDS
from faults.rounds import Outcome

PAGE = Path(__file__).parents[2] / "shared" / "docs" / "fault-matrix.md"

# What each kind is, in the words of a reader, and what must be true afterwards beside that nothing is lost.
_WORDS = {
    "service killed": "a process of a service ends by SIGKILL",
    "service replaced": "a process of a service ends by SIGTERM, and another takes its place",
    "killed between commit and publishing": "SIGKILL of all processes of a service while what they committed is not on "
    "the bus",
    "NATS killed": "SIGKILL",
    "PostgreSQL killed": "SIGKILL of the server",
    "PostgreSQL backend killed": "SIGKILL of one session's process; the server ends all and recovers",
    "gateway killed": "SIGKILL",
    "everything killed": "SIGKILL of every program at once",
    "process paused": "SIGSTOP, up to a minute later SIGCONT: a service, NATS or PostgreSQL",
    "link cut": "one link is reset and refuses for a while",
    "link delayed": "everything on one link comes up to 0.6 s later, each way",
    "link half-closed": "one direction of every connection of a link ends",
    "link blackholed": "a link accepts and swallows everything",
    "link trickling": "48 bytes at a time",
    "clock turned": "one process sees its machine's clock hours ahead, hours back, minutes ahead",
    "messages repeated out of order": "300 stored messages are published again, shuffled, under new ids",
    "everything delivered again": "the places of all readers in a stream are deleted",
    "outbox filled, relays killed": "NATS is away while hundreds of events are committed; then the relays are killed",
}

_HEAD = """# Fault matrix

The real programs, each a process of its own, under traffic and faults drawn from a seed; afterwards what there is is
compared with what an independent oracle says of the accepted requests: clocks and their instants, escalations,
messages, files byte for byte, appointments, who has each ticket, the ledger and its warnings, the timelines and their
chains; with what every service announced and took in; and with what a partner was sent, which refuses some and does not
answer others. A link is what a service has to PostgreSQL and to NATS, and the gateway to a service; each goes through a
proxy.

    make soak                                  # an hour
    make soak ARGS="--seconds 600 --seed 7"    # ten minutes, the faults of a seed

A short version runs in `make test` (`tests/faults/test_faults.py`).
"""

_FOOT = """
## What is defined
- **Acknowledged is durable**: a 2xx was committed to PostgreSQL. What was not answered may be repeated under its
  `Idempotency-Key`, and has one effect.
- **The time of a service is its database's.** All its replicas agree, whatever their machines' clocks say
  (`plazo_clock_offset_seconds` shows by how much one is off), so no timer fires early and no promise is broken by a
  wrong clock. What turns the database's clock turns the time of its service: let it follow NTP without steps.
- **A process that was paused** has lost what it held: PostgreSQL ends a transaction idle for 30 seconds, JetStream
  delivers again after five, and what was sent twice has its effect once.

Not tried: a full disk, a power cut (PostgreSQL and JetStream answer for what they have synced), a machine that lies.
"""


def render(outcome: Outcome, *, seed: int, replicas: int, machine: str, day: str) -> str:
    """Return the page."""
    lost = "nothing" if not outcome.differences else f"{len(outcome.differences)} differences"
    about = (
        f"{day}: seed {seed}, {outcome.rounds} rounds in {outcome.seconds:.0f} s, {replicas} replicas of each service, "
        f"on {machine}."
    )
    compared = (
        f"Requests answered {outcome.requests:,}, of which {outcome.repeated:,} had to be repeated; tickets opened "
        f"{outcome.tickets:,}; events {outcome.events:,}; webhooks posted {outcome.posts:,}; "
        f"ledger entries {outcome.entries:,}. **Lost or twice: {lost}.**"
    )
    cell = "see below" if outcome.differences else "nothing"
    rows = [f"| {name} | {_WORDS[name]} | {outcome.struck[name]} | {cell} |" for name in KINDS]
    table = ["| fault | what happens | times | lost |", "|---|---|---|---|", *rows]
    wrong = [f"- {line}" for line in outcome.differences]
    return "\n".join([_HEAD, "## Last run", about, compared, "", *table, *(["", *wrong] if wrong else []), _FOOT])


def save(page: str) -> None:
    """Write the page to the documentation."""
    PAGE.write_text(page, encoding="utf-8")
