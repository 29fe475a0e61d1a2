"""Who may resolve what, and until when what is over may be reopened. SKE-03, SKE-07, SMA-11, SMA-13"""

from datetime import datetime

from plazo.kernel.errors import Fault, InvalidInput, Kind, PlazoError
from plazo.policy.decide import Place, matches
from plazo.policy.document import Policy
from plazo.policy.promises import ResolvingRule
from tickets.domain.deadlines import due_after, working_time_of
from tickets.domain.ticket import Facts, Ticket

# What the role of a key stands for among the roles that policies name.
POLICY_ROLES: dict[str, tuple[str, ...]] = {
    "agent": ("assignee", "team", "executive", "consultant"),
    "manager": ("manager", "team_lead", "project_manager"),
    "administrator": ("administrator", "manager"),
}


class ResolvingRefused(PlazoError):
    """The policy does not let the ticket be resolved as it stands."""

    kind = Kind.CONFLICT
    code = "resolving-refused"


class ResolvingForbidden(PlazoError):
    """The policy does not let this role resolve the ticket."""

    kind = Kind.FORBIDDEN
    code = "resolving-forbidden"


class ConfirmationMissing(PlazoError):
    """The customer has to confirm the resolution before the ticket is closed. PRO-19"""

    kind = Kind.CONFLICT
    code = "confirmation-missing"


class ReopeningOver(PlazoError):
    """The time in which the ticket could be reopened has passed; a new request may be linked to it."""

    kind = Kind.CONFLICT
    code = "reopening-over"


def require_kind(policy: Policy, kind: str) -> None:
    """Insist on a kind of resolution that the policy names, where it names any. :raises InvalidInput: SMA-11"""
    rule = policy.lifecycle.resolution if policy.lifecycle else None
    if rule and kind not in rule.kinds:
        clause = ", ".join(rule.clause)
        fault = Fault(pointer="/kind", message=f"expected one of {', '.join(rule.kinds)}", clause=clause)
        raise InvalidInput(f"policy {policy.policy} has no resolution {kind!r}", faults=[fault], clause=clause)


def require_resolvable(policy: Policy, facts: Facts, *, role: str | None, language: str) -> None:
    """Insist that the policy lets a caller's role resolve a ticket with these facts.

    :raises ResolvingForbidden: if another role might
    :raises ResolvingRefused: if nobody may as it stands
    """
    rules = policy.lifecycle.resolving if policy.lifecycle else ()
    roles = POLICY_ROLES.get(role or "", ())
    rule = next((rule for rule in rules if _speaks_of(rule, facts, roles)), None)
    if rule is None or rule.allow:
        return
    refusal = ResolvingForbidden if "role" in rule.when else ResolvingRefused
    note = rule.note.en if language == "en" else rule.note.es
    raise refusal(note, clause=", ".join(rule.clause), details={"reason": rule.reason})


def _speaks_of(rule: ResolvingRule, facts: Facts, roles: tuple[str, ...]) -> bool:
    if "role" not in rule.when:
        return matches(rule.when, facts)
    return any(matches(rule.when, facts | {"role": role}) for role in roles)


def require_confirmed(policy: Policy, *, is_customer: bool, confirmed_by: str | None) -> None:
    """Insist on the customer's confirmation where the policy does. :raises ConfirmationMissing: PRO-19"""
    rule = policy.lifecycle.confirmation if policy.lifecycle else None
    if rule is None or is_customer or confirmed_by is not None:
        return
    raise ConfirmationMissing(
        "the customer confirms the resolution before the ticket is closed; say who did in confirmed_by, and by which "
        "channel",
        clause=", ".join(rule.clause),
    )


def require_reopenable(policy: Policy, ticket: Ticket, *, at: datetime, place: Place | None = None) -> None:
    """Insist that a closed ticket is reopened in time: ever, where the window does not end. SMA-13

    :raises ReopeningOver: after the policy's window
    """
    rule = policy.lifecycle.reopening if policy.lifecycle else None
    if rule is None or rule.window is None or ticket.closed_at is None:
        return
    until = due_after(working_time_of(policy, rule.calendar, place=place), ticket.closed_at, rule.window)
    if until is not None and at > until:
        raise ReopeningOver(
            f"the ticket could be reopened until {until.isoformat()}; ask anew, linked to it: "
            f"POST /v1/tickets/{ticket.ticket_id}/additional-requests",
            clause=", ".join(rule.clause),
            details={"until": until.isoformat()},
        )
