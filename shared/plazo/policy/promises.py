"""What is promised and what counts: targets, what stops and pauses their clocks, coverage, availability."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plazo.policy.rules import (
    Clausal,
    ClockKind,
    Count,
    Flag,
    Name,
    Role,
    Rule,
    Section,
    TargetKind,
    TargetText,
    Text,
)

TARGET_KINDS: tuple[TargetKind, ...] = (
    "acknowledgement",
    "first_response",
    "next_reply",
    "periodic_update",
    "resolution",
)
Threshold = Annotated[str, Field(pattern=r"^([1-9][0-9]?%|([0-9]{1,4}h)?([0-9]{1,4}m)? before)$")]


class TargetRule(Rule):
    """How long each kind of promise may take.

    A rule decides only the kinds it mentions; `none` says that no target applies to any kind (true) or to those it
    lists. `on_change` says what a change of severity, plan or level does to a running clock: the new target counts
    from the original start (`retroactive`) or the share already used is kept (`carry_over`).
    """

    none: Flag | tuple[TargetKind, ...] = False
    acknowledgement: TargetText | None = None
    first_response: TargetText | None = None
    next_reply: TargetText | None = None
    periodic_update: TargetText | None = None
    resolution: TargetText | None = None
    calendar: Name | None = None
    commitment: Literal["objective", "guarantee"] = "guarantee"
    warn_at: tuple[Threshold, ...] = ()
    on_change: Literal["retroactive", "carry_over"] = "retroactive"

    def target(self, kind: TargetKind) -> str | None:
        """Give the target of `kind` as the document words it."""
        value: str | None = getattr(self, kind)
        return value

    def is_none(self, kind: TargetKind) -> bool:
        """Tell whether the rule says that nothing is promised for `kind`."""
        return self.none if isinstance(self.none, bool) else kind in self.none

    def mentions(self, kind: TargetKind) -> bool:
        """Tell whether the rule decides `kind`, with a target or with none."""
        return self.is_none(kind) or self.target(kind) is not None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        promised = [kind for kind in TARGET_KINDS if self.target(kind) is not None]
        if not promised and not self.none:
            raise ValueError(f"expected a target ({', '.join(TARGET_KINDS)}) or `none`")
        if both := [kind for kind in promised if self.is_none(kind)]:
            raise ValueError(f"{', '.join(both)} has a target and is in `none`; expected one or the other")
        if promised and self.calendar is None:
            raise ValueError("expected `calendar`: the name of the calendar the targets count in")
        return self


class StopRule(Rule):
    """What meets a promise: the rule's `when` names the activity, `kinds` the clocks it stops. PRO-15

    For a kind that no rule names the usual holds: a receipt meets an acknowledgement; a reply or a call meets a
    first response, a next reply and a periodic update.
    """

    kinds: Annotated[tuple[ClockKind, ...], Field(min_length=1)]


class PauseRule(Rule):
    """What suspends a promise: the rule's `when` names what is waited for, `kinds` the clocks it pauses. PRO-17"""

    kinds: Annotated[tuple[ClockKind, ...], Field(min_length=1)]


class CoverageRule(Rule):
    """Whether a request is within the contract; without a matching rule it is.

    A request out of coverage is kept and answered, by the team in `route` where there is one; `clocks` false means
    that no promise applies to it.
    """

    covered: Flag = True
    clocks: Flag = True
    route: Name | None = None
    note: Text | None = None


class Availability(Clausal):
    """How availability is measured. The agreed percentage is the contract's; `excluded_causes` do not count."""

    calendar: Name
    period: Literal["month"] = "month"
    excluded_causes: tuple[Name, ...] = ()


class Confirmation(Clausal):
    """The customer confirms before a resolved ticket is closed. PRO-19"""

    by: Role = "requester"


class Abandonment(Clausal):
    """When an unanswered ticket is closed.

    `attempts` contacts made on open days of `calendar` count, at least `spacing` apart, then `wait` passes. `within`
    hours asks for its open hours; `channels` lists those that count, where not all do. `automatic` false only permits
    the closing.
    """

    attempts: Annotated[Count, Field(ge=1)]
    calendar: Name
    wait: TargetText
    spacing: TargetText = "0m"
    within: Literal["days", "hours"] = "days"
    channels: tuple[Literal["email", "portal", "phone", "chat", "video"], ...] = ()
    states_wait: Flag = False
    automatic: Flag = False


class Reopening(Clausal):
    """The customer may reopen within `window` of the closing, or at any time without one. SMA-13"""

    window: TargetText | None = None
    calendar: Name | None = None


class ResolvingRule(Rule):
    """Who may resolve what; without a matching rule, whoever handles the ticket may. SKE-03, SKE-07"""

    allow: Flag
    reason: Name
    note: Text


class Resolution(Clausal):
    """What a resolution consists of: one of `kinds`, and a text where required. SMA-11"""

    kinds: Annotated[tuple[Name, ...], Field(min_length=1)]
    text_required: Flag = True


class AgreedDate(Clausal):
    """A date that an agent records arms a clock of its own. PRO-16, SKE-06"""

    by: Role = "assignee"


class AdditionalRequests(Clausal):
    """A further request becomes a linked ticket with its own minimum charge. SMA-15"""

    linked: Flag = True


class Lifecycle(Section):
    """How a ticket ends, and begins again."""

    resolution: Resolution | None = None
    resolving: tuple[ResolvingRule, ...] = ()
    confirmation: Confirmation | None = None
    abandonment: Abandonment | None = None
    reopening: Reopening | None = None
    agreed_date: AgreedDate | None = None
    additional_requests: AdditionalRequests | None = None


class Compliance(Clausal):
    """What the periodic report counts by; `corrective_action` asks for cause and measure of each miss. IRE-19"""

    period: Literal["month"] = "month"
    group_by: tuple[Name, ...] = ()
    corrective_action: Flag = False
