"""The document of possible solutions that a level follows: its steps, and when it is exhausted. SKE-02, SKE-03"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from plazo.kernel.errors import NotFound
from plazo.policy.decide import first_match
from plazo.policy.document import Policy
from plazo.policy.handling import Playbook
from tickets.domain.ticket import Facts

StepResult = Literal["done", "solved", "not_solved"]


@dataclass(frozen=True, slots=True)
class Tick:
    """A step that was taken."""

    playbook: str
    step: str
    result: StepResult
    text: str | None
    ticked_by: str
    ticked_at: datetime


class NoPlaybook(NotFound):
    """The policy has no playbook for such a ticket, or the playbook no such step."""

    code = "no-playbook"


def playbook_of(policy: Policy, facts: Facts) -> Playbook:
    """Return the playbook that a ticket with these facts follows. :raises NoPlaybook:"""
    match = first_match(policy.escalation.playbooks, facts)
    if match is None:
        raise NoPlaybook(f"policy {policy.policy} has no playbook for such a ticket")
    return match.rule


def require_step(playbook: Playbook, step: str) -> None:
    """Insist that the playbook has such a step. :raises NoPlaybook: naming those it has"""
    names = [one.name for one in playbook.steps]
    if step not in names:
        raise NoPlaybook(f"playbook {playbook.name} has no step {step!r}; it has {', '.join(names)}")


def playbook_state(playbook: Playbook, ticks: Sequence[Tick]) -> Literal["open", "solved", "exhausted"]:
    """Return where the playbook stands: exhausted once every step was taken and none solved it."""
    results = {tick.step: tick.result for tick in ticks if tick.playbook == playbook.name}
    if "solved" in results.values():
        return "solved"
    return "exhausted" if all(step.name in results for step in playbook.steps) else "open"
