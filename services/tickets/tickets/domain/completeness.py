"""What a request should contain: the steps tried before asking, and the parts of a good description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from plazo.kernel.errors import Fault
from plazo.policy.decide import matches
from plazo.policy.document import Policy
from tickets.domain.ticket import Answers, Facts

CHECKLIST_INCOMPLETE = "checklist_incomplete"
PARTS_MISSING = "parts_missing"


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was asked for and is not there."""

    name: str
    text: Mapping[str, str]
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completeness:
    """What a request lacks. `checklist` is None where the policy has none."""

    checklist: Literal["complete", "incomplete"] | None
    missing_steps: tuple[Missing, ...]
    missing_parts: tuple[Missing, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """What the ticket is flagged with."""
        flags = []
        if self.checklist == "incomplete":
            flags.append(CHECKLIST_INCOMPLETE)
        if self.missing_parts:
            flags.append(PARTS_MISSING)
        return tuple(flags)


def clauses_of(missing: Sequence[Missing]) -> tuple[str, ...]:
    """Return the clauses that ask for what is missing."""
    return tuple(dict.fromkeys(clause for one in missing for clause in one.clauses))


def completeness(policy: Policy, *, answers: Answers, facts: Facts) -> Completeness:
    """Decide what a request lacks. EXP-10, SMA-04, PRO-22

    A step is there when it was answered as done; a part when a text was given for it or the fact of its name is known.
    The description always is. Who states the fact `checklist` has answered all of it.
    """
    checklist = policy.intake.checklist
    steps: tuple[Missing, ...] = ()
    verdict: Literal["complete", "incomplete"] | None = None
    if checklist is not None:
        undone = [step for step in checklist.steps if not answers.checklist.get(step.name)]
        if facts.get("checklist") == "complete" and not answers.checklist:
            undone = []
        steps = tuple(Missing(step.name, step.text.model_dump(), checklist.clause) for step in undone)
        verdict = "incomplete" if steps else "complete"
    given = {"description", *answers.parts, *facts}
    parts = tuple(
        Missing(part.name, part.text.model_dump(), part.clause)
        for part in policy.intake.parts
        if part.name not in given and matches(part.when, facts)
    )
    return Completeness(checklist=verdict, missing_steps=steps, missing_parts=parts)


def answer_faults(policy: Policy, answers: Answers) -> list[Fault]:
    """Return the answers to what the policy does not ask."""
    steps = [step.name for step in policy.intake.checklist.steps] if policy.intake.checklist else []
    parts = [part.name for part in policy.intake.parts]
    return [*_unknown("checklist", answers.checklist, steps), *_unknown("parts", answers.parts, parts)]


def _unknown(section: str, given: Mapping[str, object], known: Sequence[str]) -> list[Fault]:
    expected = f"expected one of {', '.join(known)}" if known else "the policy asks for none"
    return [Fault(f"/{section}/{name}", expected) for name in given if name not in known]
