"""How a request comes in: declared facts, severity and priority, who is accepted by which channel, what is asked."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from plazo.policy.facts import FactType
from plazo.policy.rules import Clausal, Clauses, Name, Role, Rule, Section, Text, When

Address = Annotated[str, Field(pattern=r"^[a-z0-9._+-]{1,64}@[a-z0-9.-]{1,190}$")]


class DeclaredFact(Section):
    """A fact of the document's own, asked for at intake and compared by rules."""

    type: FactType
    text: Text
    values: tuple[Name, ...] = ()
    clause: Clauses | None = None

    @model_validator(mode="after")
    def _list_choices(self) -> Self:
        if (self.type == "choice") != bool(self.values):
            raise ValueError("expected `values` with type choice, and only with it")
        return self


class Grade(Clausal):
    """One severity or priority. The list they stand in goes from the most urgent to the least."""

    name: Name
    text: Text


class GradeRule(Rule):
    """Which severity or priority the facts amount to."""

    value: Name


class AcceptanceRule(Rule):
    """Whether a request is taken, refused with a reason, or kept in quarantine until someone releases it."""

    accept: Literal["refuse", "quarantine"] | StrictBool
    reason: Name | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _give_reason(self) -> Self:
        if self.accept is False:
            raise ValueError("expected `accept` to be true, refuse or quarantine")
        if self.accept is not True and (self.reason is None or self.note is None):
            raise ValueError("expected `reason` and `note` (es, en) for what is not accepted")
        return self


class Part(Clausal):
    """Something a request should contain; missing, it is flagged and asked for, never refused."""

    name: Name
    text: Text
    when: When = Field(default_factory=dict)


class ChecklistStep(Section):
    """One thing the customer should have tried before asking."""

    name: Name
    text: Text


class Checklist(Clausal):
    """The self-diagnosis before opening; a missing step flags the ticket. EXP-10"""

    steps: Annotated[tuple[ChecklistStep, ...], Field(min_length=1)]


class SeverityConfirmation(Clausal):
    """The severity reported stays provisional until confirmed by another channel. IRE-14"""

    when: When
    channel: Name


class MailAddress(Clausal):
    """An address that takes requests, and the facts that writing to it states. SKE-08"""

    address: Address
    sets: dict[Name, Name] = Field(default_factory=dict)


class Secrets(Clausal):
    """Access credentials may be sent; they are kept encrypted, shown once to `shown_to` and erased on closing."""

    shown_to: Role = "assignee"


class OfficeHours(Clausal):
    """The calendar that decides whether the fact `hours` is in or out at the instant of a request."""

    calendar: Name


class Intake(Section):
    """How requests come in. `acceptance` decides in order; the rest is asked of what is accepted."""

    acceptance: tuple[AcceptanceRule, ...] = ()
    office_hours: OfficeHours | None = None
    addresses: tuple[MailAddress, ...] = ()
    parts: tuple[Part, ...] = ()
    checklist: Checklist | None = None
    confirmation: SeverityConfirmation | None = None
    secrets: Secrets | None = None
