"""Whether a ticket may come in: the gates of its policy against standing and balance. SMA-02, SMA-14"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from plazo.calendar.zone import load_zone
from plazo.policy.charging import Billing
from plazo.policy.decide import Facts, first_match

Standing = Literal["good", "overdue", "blocked"]


@dataclass(frozen=True, slots=True)
class Solvency:
    """What a contract is good for at an instant. `plan_in_force` is None where the ticket's own fact stands."""

    standing: Standing
    below_minimum: bool
    plan_in_force: bool | None = None

    def facts(self) -> dict[str, bool | str]:
        """Return it in the words of policies: a blocked contract is overdue, one in good standing is current."""
        facts: dict[str, bool | str] = {
            "standing": "current" if self.standing == "good" else "overdue",
            "below_minimum": self.below_minimum,
        }
        return facts if self.plan_in_force is None else facts | {"plan_in_force": self.plan_in_force}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say: held for a reason, or let in. `clauses` order the hold, or name what was asked."""

    held_for: str | None
    clauses: tuple[str, ...]

    @property
    def is_granted(self) -> bool:
        """Whether the ticket comes in."""
        return self.held_for is None


def decide_admission(billing: Billing, *, facts: Facts, solvency: Solvency) -> Verdict:
    """Find the first gate that holds a ticket; without one it is let in."""
    found = first_match(billing.gates, {**facts, **solvency.facts()})
    if found is not None:
        return Verdict(found.rule.held, found.rule.clause)
    return Verdict(None, tuple(dict.fromkeys(clause for gate in billing.gates for clause in gate.clause)))


def is_in_force(valid_from: date, valid_until: date | None, *, at: datetime, zone: str) -> bool:
    """Tell whether a contract is valid at an instant; its dates are those of `zone`, `valid_until` is exclusive."""
    day = at.astimezone(load_zone(zone)).date()
    return valid_from <= day and (valid_until is None or day < valid_until)
