"""The order in which tickets are worked on: by the policy's grades, then by what is due first."""

from collections.abc import Mapping
from datetime import UTC, datetime

from plazo.policy.document import Policy
from tickets.domain.ticket import FactValue

LAST = 1000
NEVER_DUE = datetime(2199, 12, 31, tzinfo=UTC)  # where a queue has no due instant, so that one index gives its order


def queue_rank(policy: Policy, facts: Mapping[str, FactValue]) -> int:
    """Return the place of a ticket's grade in its policy, from 1; the smaller is worked on first (IRE-03).

    Priorities are listed in the order of the queue; where a policy has none, severities are.
    """
    for about, grades in (("priority", policy.priorities), ("severity", policy.severities)):
        names = [grade.name for grade in grades]
        if facts.get(about) in names:
            return names.index(str(facts[about])) + 1
    return LAST
