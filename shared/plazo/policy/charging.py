"""What it costs: accounts, allotments, chargeable work, overage, gates, no-shows and service credits."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from plazo.policy.rules import Clausal, Count, Flag, Name, Rule, Section, TargetText, Text, When

Unit = Literal["credit_unit", "hour", "workday", "currency"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
#: An amount of an account's unit or of time: "1 unit", "3h", "90m".
Quantity = Annotated[
    str,
    Field(pattern=r"^([1-9][0-9]{0,5} units?|[1-9][0-9]{0,5} workdays?|([0-9]{1,5}h)?([0-9]{1,5}m)?)$", min_length=2),
]


def _check_not_zero(text: str) -> str:
    if not any(digit in text for digit in "123456789"):
        raise ValueError(f"{text!r} is no time at all; expected one such as 15m or 1h")
    return text


Increment = Annotated[
    str, Field(pattern=r"^([0-9]{1,5}h)?([0-9]{1,5}m)?$", min_length=2), AfterValidator(_check_not_zero)
]


def _as_rules(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Account(Clausal):
    """What is drawn on. `check` refuses to begin under `minimum_balance`; `reserve` also sets it aside.

    A `credit_unit` or `workday` is worth `unit_minutes` of work. A balance that falls below `warn_below` is told.
    """

    unit: Unit
    currency: Currency | None = None
    unit_minutes: Annotated[Count, Field(ge=1)] = 60
    minimum_balance: Count = 0
    on_minimum: Literal["check", "reserve"] = "check"
    warn_below: Count | None = None

    @model_validator(mode="after")
    def _name_currency(self) -> Self:
        if (self.unit == "currency") != (self.currency is not None):
            raise ValueError("expected `currency` (ISO 4217, such as EUR) with unit currency, and only with it")
        return self


class Bag(Account):
    """A further account with a purpose, such as a bag of consulting hours. IRE-05"""

    name: Name
    when: When = Field(default_factory=dict)
    text: Text


class Allotment(Rule):
    """What a plan includes each month; the rest expires unless it rolls over.

    What rolls over is kept for `rollover_months` more months, or as long as the contract where that is not said; it
    never brings the account above `cap`.
    """

    unit: Unit
    amount: Count
    period: Literal["month"] = "month"
    rollover: Flag = False
    rollover_months: Annotated[Count, Field(ge=1, le=120)] | None = None
    cap: Annotated[Count, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _limit_what_rolls_over(self) -> Self:
        if not self.rollover and (self.rollover_months is not None or self.cap is not None):
            raise ValueError("expected `rollover_months` and `cap` only with `rollover: true`")
        return self


class Rate(Section):
    """A price in minor units of a currency for each `per` of work."""

    minor: Count
    currency: Currency
    per: Increment = "1h"


class Multiplier(Rule):
    """What work counts for under some conditions: 150 percent, say, out of hours or on a holiday."""

    percent: Annotated[Count, Field(ge=1, le=1000)]


class WorkRule(Rule):
    """What work is charged, and how it is rounded.

    Minutes are summed over `scope` before they are rounded to `increment`; `minimum` applies once per scope.
    Without a `rate` the contract's applies. `account` names a bag to draw on instead of the main account. On
    `calendar` work is split into that in hours and out of them, and on holidays; its multipliers are applied before
    rounding or after it.
    """

    charge: Flag = True
    reason: Name | None = None
    minimum: Quantity | None = None
    increment: Increment = "1m"
    rounding: Literal["up", "down", "nearest"] = "up"
    scope: Literal["entry", "ticket", "day", "month"] = "entry"
    multipliers: tuple[Multiplier, ...] = ()
    multiply: Literal["before", "after"] = "before"
    calendar: Name | None = None
    rate: Rate | None = None
    account: Name | None = None
    quote_required: Flag = False

    @model_validator(mode="after")
    def _give_reason(self) -> Self:
        if not self.charge and self.reason is None:
            raise ValueError("expected `reason` for work that is not charged")
        return self


class OverageRule(Rule):
    """What happens once an allotment is spent: work is charged by `increment`, or refused."""

    allowed: Flag = True
    increment: Increment = "1h"
    rounding: Literal["up", "down", "nearest"] = "up"
    rate: Rate | None = None


class GateRule(Rule):
    """What holds a ticket, kept but not worked on, until its condition no longer holds.

    Its clocks start at the release; meanwhile the team in `route` has it.
    """

    held: Name
    route: Name | None = None
    note: Text


class NoShow(Clausal):
    """What is charged, once per appointment, when the customer is absent `grace` after it began. SMA-19

    A cancellation by the customer less than `notice` before the beginning is late.
    """

    charge: Quantity
    grace: TargetText = "0m"
    notice: TargetText = "0m"


class ServiceCreditRule(Rule):
    """What the provider owes for a breach: a percentage of the month's fee, up to `cap_percent` a month."""

    percent: Annotated[Count, Field(le=100)]
    cap_percent: Annotated[Count, Field(le=100)] = 100


class Statements(Section):
    """How months are stated. A month closes by itself so many days after its end; amounts are written as in `locale`.

    Without a locale they are written as where the document's zone is.
    """

    closes_after_days: Annotated[Count, Field(le=27)] = 0
    locale: Literal["es_ES", "es_PE", "es_CL", "es_VE", "en"] | None = None


class Billing(Section):
    """What it costs. Without a matching `work` rule nothing is charged; without a gate nothing is held."""

    account: Account | None = None
    bags: tuple[Bag, ...] = ()
    allotments: tuple[Allotment, ...] = ()
    work: Annotated[
        tuple[WorkRule, ...], BeforeValidator(_as_rules, json_schema_input_type=WorkRule | list[WorkRule])
    ] = ()
    overage: tuple[OverageRule, ...] = ()
    gates: tuple[GateRule, ...] = ()
    no_show: NoShow | None = None
    service_credits: tuple[ServiceCreditRule, ...] = ()
    statements: Statements = Field(default_factory=Statements)
