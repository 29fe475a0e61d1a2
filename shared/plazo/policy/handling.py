"""Who acts and who is told: teams and routing, levels and escalation, templates and notifications."""

import string
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from plazo.calendar import TargetKind, parse_target
from plazo.policy.intake import Address
from plazo.policy.rules import Clausal, Clauses, Count, Flag, Name, Role, Rule, Section, TargetText, Text, When

Level = Annotated[Count, Field(ge=1, le=9)]
Assignment = Literal["least_loaded", "rota"]
ChannelName = Literal["email", "portal", "webhook"]

#: What a template may fill in.
PLACEHOLDERS = frozenset(
    {
        "number",
        "subject",
        "description",
        "opened_at",
        "severity",
        "priority",
        "due_at",
        "kind",
        "level",
        "team",
        "reason",
        "missing",
        "closes_at",
        "attempt",
        "vendor_reference",
        "policy",
        "policy_version",
        "effective_from",
        "changes",
        "clause",
    }
)


def _check_placeholders(text: Text) -> Text:
    for words in (text.es, text.en):
        try:
            fields = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(words)]
        except ValueError as error:
            raise ValueError(f"braces do not match: {error}") from None
        for name, spec, conversion in fields:
            if name is None:
                continue
            if spec or conversion or name not in PLACEHOLDERS:
                raise ValueError(f"unknown placeholder {{{name}}}; expected one of {', '.join(sorted(PLACEHOLDERS))}")
    return text


TemplateText = Annotated[Text, AfterValidator(_check_placeholders)]


class Team(Section):
    """Some people who handle tickets, in the hours of `calendar` where one is named."""

    text: Text
    level: Level | None = None
    assignment: Assignment | None = None
    calendar: Name | None = None
    address: Address | None = None
    clause: Clauses | None = None


class RoutingRule(Rule):
    """Which team a ticket goes to, and at what level."""

    team: Name
    level: Level = 1


class Routing(Section):
    """The teams, and the rules that choose among them. `assignment` is how a team shares out its tickets."""

    teams: dict[Name, Team] = Field(default_factory=dict)
    rules: tuple[RoutingRule, ...] = ()
    assignment: Assignment = "least_loaded"


class EscalationLevel(Clausal):
    """One level of support."""

    level: Level
    text: Text
    team: Name | None = None


class EscalationStep(Section):
    """Who must act or be told, and how long after the trigger, in the time of `calendar` or elapsed.

    After a breach the delay may be a share of what was promised instead: with `overrun_percent: 50` the step comes when
    half as much again has passed, in the hours of the promise. `to_severity` makes the ticket at least as severe.
    """

    after: TargetText = "0m"
    overrun_percent: Annotated[Count, Field(ge=1, le=1000)] | None = None
    calendar: Name | None = None
    to_level: Level | None = None
    to_team: Name | None = None
    to_role: Role | None = None
    to_severity: Name | None = None
    notify: tuple[Role, ...] = ()
    template: Name | None = None
    require_assessment: Flag = False
    require_reason: Flag = False
    repeat: TargetText | None = None
    times: Annotated[Count, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _do_something(self) -> Self:
        moves = (self.to_level, self.to_team, self.to_role, self.to_severity)
        if all(one is None for one in moves) and not self.notify:
            raise ValueError("expected one of to_level, to_team, to_role, to_severity or notify: the step does nothing")
        if self.times > 1 and self.repeat is None:
            raise ValueError("expected `repeat`, the time between repetitions, where `times` is more than 1")
        if self.overrun_percent is not None and (self.after != "0m" or self.calendar is not None):
            raise ValueError("expected no `after` or `calendar` beside `overrun_percent`: the promise has its own")
        return self


class EscalationRule(Rule):
    """What a trigger sets off: its steps, each at its time.

    `ordered` instead takes one step for each trigger, in order: asking for a later one first is refused. PRO-18
    """

    steps: Annotated[tuple[EscalationStep, ...], Field(min_length=1)]
    ordered: Flag = False

    @model_validator(mode="after")
    def _overrun_a_promise(self) -> Self:
        if self.when.get("trigger") != "breach" and any(step.overrun_percent is not None for step in self.steps):
            raise ValueError("expected `overrun_percent` only where `trigger` is breach: nothing else is overrun")
        return self


class PlaybookStep(Section):
    """One step of a document of possible solutions."""

    name: Name
    text: Text


class Playbook(Rule):
    """The document of possible solutions a level must follow; once exhausted the ticket leaves the level. SKE-02"""

    name: Name
    steps: Annotated[tuple[PlaybookStep, ...], Field(min_length=1)]


class Escalation(Section):
    """The levels of support and the matrix; without a matching rule a trigger sets off nothing."""

    levels: tuple[EscalationLevel, ...] = ()
    matrix: tuple[EscalationRule, ...] = ()
    playbooks: tuple[Playbook, ...] = ()


class Template(Section):
    """A message, with placeholders such as {number}."""

    subject: TemplateText
    body: TemplateText


class NotificationRule(Rule):
    """Who is told of an event, and how; without a matching rule nobody is."""

    template: Name
    to: Annotated[tuple[Role, ...], Field(min_length=1)]
    channel: ChannelName = "email"


class Digest(Section):
    """A storm is one message: beyond `above` messages to one person within `every`, the rest come together at its end.

    `every` is elapsed time.
    """

    every: TargetText
    above: Annotated[Count, Field(ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _is_elapsed(self) -> Self:
        target = parse_target(self.every)
        if target.kind is TargetKind.BUSINESS_DAYS or not target.amount:
            raise ValueError("every: expected elapsed time above zero, such as 15m")
        return self


class Quiet(Section):
    """Outside the hours of `calendar` nobody is told; what holds `unless` comes through."""

    calendar: Name
    unless: When = Field(default_factory=dict)


class Channel(Section):
    """How the provider's own people are told by a channel. Customers are told at once, each of their own ticket."""

    digest: Digest | None = None
    quiet: Quiet | None = None
    clause: Clauses | None = None
