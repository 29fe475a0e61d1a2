"""Policies and facts for the tests of the fold."""

import pytest

from plazo.policies import policy_text
from plazo.policy import Policy, load_policy

# One policy with every kind of promise: elapsed time, so that the sums are easy to follow.
EVERYTHING = """
policy: everything
version: "1"
effective_from: 2020-01-01
timezone: UTC
language: en
provider: {name: Test}
clauses: SMA
calendars:
  elapsed: {hours: 24x7}
  office: {hours: {mon-fri: ["09:00-17:00"]}}
severities:
  - {name: 1, text: {es: uno, en: one}, clause: SMA-08}
  - {name: 2, text: {es: dos, en: two}, clause: SMA-08}
  - {name: 3, text: {es: tres, en: three}, clause: SMA-08}
  - {name: 4, text: {es: cuatro, en: four}, clause: SMA-08}
targets:
  - {when: {severity: 4}, none: true, clause: SMA-09}
  - when: {severity: 1}
    acknowledgement: 30m
    first_response: 2h
    next_reply: 2h
    periodic_update: 4h
    resolution: 8h
    calendar: elapsed
    warn_at: ["50%", "1h before"]
    clause: SMA-10
  - when: {severity: 2}
    first_response: 4h
    next_reply: 4h
    resolution: 16h
    calendar: elapsed
    warn_at: ["50%"]
    clause: SMA-10
  - {when: {severity: 3}, first_response: 8h, resolution: 40h, calendar: office, on_change: carry_over, clause: SMA-10}
pauses:
  - {when: {waiting: [customer, vendor]}, kinds: [resolution, next_reply, agreed], clause: SMA-04}
coverage:
  - {when: {cause: excluded}, covered: false, clocks: false, note: {es: fuera, en: out}, clause: SMA-01}
lifecycle:
  agreed_date: {by: assignee, clause: SMA-09}
"""


@pytest.fixture(scope="session")
def everything() -> Policy:
    return load_policy(EVERYTHING)


@pytest.fixture(scope="session")
def rare() -> Policy:
    """The same, with an office that opens for a minute a week: some of what it promises is never due."""
    text = EVERYTHING.replace('{mon-fri: ["09:00-17:00"]}', '{mon: ["09:00-09:01"]}').replace("40h", "900h")
    return load_policy(text.replace("16h\n    calendar: elapsed", "20000 business_days\n    calendar: office"))


@pytest.fixture(scope="session")
def shipped() -> dict[str, Policy]:
    return {name: load_policy(policy_text(name)) for name in ("expande", "ireo", "prodequa", "skedu", "smartcloud")}
