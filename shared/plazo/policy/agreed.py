"""Terms agreed in a contract: they speak before the policy, and the policy before the defaults. SKE-12"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from plazo.kernel.errors import Fault
from plazo.policy.charging import Rate
from plazo.policy.document import Policy
from plazo.policy.horizon import targets_never_due
from plazo.policy.load import parse_policy
from plazo.policy.promises import PauseRule, StopRule, TargetRule
from plazo.policy.rules import Count, Line, Section

_TABLES = ("targets", "stops", "pauses")


class Fee(Section):
    """A monthly fee in minor units of a currency."""

    minor: Count
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class AgreedTerms(Section):
    """What a contract agrees beside its policy. `reference` names the document it stands in.

    The rules of `targets`, `stops` and `pauses` are asked before those of the policy and may name its calendars.
    `overage_rate` is the price of what goes beyond what was bought, `rates` are other prices by name, `monthly_fee` is
    what service credits are a share of.
    """

    reference: Line
    targets: tuple[TargetRule, ...] = ()
    stops: tuple[StopRule, ...] = ()
    pauses: tuple[PauseRule, ...] = ()
    overage_rate: Rate | None = None
    rates: dict[str, Rate] = Field(default_factory=dict)
    monthly_fee: Fee | None = None


def with_agreed(policy: Policy, agreed: AgreedTerms | None) -> Policy:
    """Return a policy whose tables begin with the rules agreed in a contract."""
    if agreed is None:
        return policy
    return policy.model_copy(update={table: getattr(agreed, table) + getattr(policy, table) for table in _TABLES})


def agreed_faults(policy: Policy, agreed: Mapping[str, Any], *, now: datetime) -> list[Fault]:
    """Return what is wrong with agreed terms: names that their policy does not know, targets that are never due.

    `agreed` is the JSON of :class:`AgreedTerms`; pointers are relative to it. `now` is the present of who agrees.
    """
    document = policy.model_dump(mode="json", exclude_defaults=True)
    for table in _TABLES:
        document[table] = [*agreed.get(table, ()), *document.get(table, ())]
    whole, faults = parse_policy(document)
    if whole is None or faults:
        return faults
    own = whole.targets[: len(agreed.get("targets", ()))]
    return list(targets_never_due(whole.model_copy(update={"targets": own}), now=now))
