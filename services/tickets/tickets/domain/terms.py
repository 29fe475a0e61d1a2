"""The terms of a contract as they stand on a day: validity, voided products, purchase orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from plazo.kernel.errors import Fault, InvalidInput, Kind, PlazoError
from plazo.policy.document import Policy


@dataclass(frozen=True, slots=True)
class Period:
    """Some days of the policy's zone; the end is exclusive, None for no end."""

    valid_from: date
    valid_until: date | None

    def contains(self, day: date) -> bool:
        """Tell whether a day is one of them."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class Void:
    """A product without support in a period, because of what was done to it. IRE-18"""

    product: str
    period: Period


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """An order of the customer, for `events` events or, with None, for any number. PRO-05"""

    number: str
    period: Period
    events: int | None
    used: int

    def is_open(self, day: date) -> bool:
        """Tell whether one more event may be asked for under it on a day."""
        return self.period.contains(day) and (self.events is None or self.used < self.events)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the contract says that rules may ask about. Dates are local to the policy's zone, ends exclusive.

    `earlier` are validities that a renewal followed after a gap.
    """

    plan: str | None
    arrangement: str
    products: tuple[str, ...]
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    earlier: tuple[Period, ...] = ()
    voids: tuple[Void, ...] = ()

    def is_in_force(self, day: date) -> bool:
        """Tell whether the contract is valid on a day."""
        return any(period.contains(day) for period in (Period(self.valid_from, self.valid_until), *self.earlier))

    def is_voided(self, product: str, day: date) -> bool:
        """Tell whether a product has no support on a day."""
        return any(void.product == product and void.period.contains(day) for void in self.voids)


class NothingToRenew(PlazoError):
    """The contract has no end, so there is nothing to renew."""

    kind = Kind.CONFLICT
    code = "nothing-to-renew"


def renew(current: Period, *, valid_from: date | None, valid_until: date | None) -> tuple[Period, Period | None]:
    """Return the validity after a renewal, and the one it ends, if there is a gap between them.

    Without `valid_from`, or with one before the current end, the current validity is prolonged.

    :raises NothingToRenew: for a contract without an end
    :raises InvalidInput: if the renewal does not reach beyond the current end
    """
    end = current.valid_until
    if end is None:
        raise NothingToRenew("the contract has no end; PATCH it to change its terms")
    begin = valid_from or end
    if valid_until is not None and valid_until <= max(begin, end):
        expected = f"expected a date after {max(begin, end)}, or null for no end"
        raise InvalidInput("the renewal is no longer than the contract", faults=[Fault("/valid_until", expected)])
    if begin > end:
        return Period(begin, valid_until), current
    return Period(current.valid_from, valid_until), None


def contract_faults(
    policy: Policy,
    *,
    plan: str | None,
    arrangement: str,
    products: Sequence[str],
    period: Period,
    catalog: Collection[str],
) -> list[Fault]:
    """Return what is wrong with a contract under a policy; an empty catalog lets every product pass."""
    faults = []
    if policy.plans and plan not in policy.plans:
        faults.append(Fault("/plan", f"expected a plan of {policy.policy}: {', '.join(policy.plans)}"))
    allowed = policy.contract.arrangements if policy.contract else ()
    if allowed and arrangement not in allowed:
        clause = ", ".join(policy.contract.clause) if policy.contract else None
        faults.append(Fault("/arrangement", f"expected one of {', '.join(allowed)}", clause=clause))
    if period.valid_until is not None and period.valid_until <= period.valid_from:
        faults.append(Fault("/valid_until", "expected a date after valid_from"))
    if catalog:
        faults += [
            Fault(f"/products/{index}", f"the catalog has no product {product!r}; it has {', '.join(sorted(catalog))}")
            for index, product in enumerate(products)
            if product not in catalog
        ]
    return faults


def unstated_terms(policy: Policy, *, plan: str | None, products: Sequence[str], account: str | None) -> list[str]:
    """Return what the policy says a contract states, and this one does not. PRO-21

    Validity is always stated; the availability agreed is kept by `sla-clock`.
    """
    stated = {"plan": plan, "products": products, "account": account}
    names = policy.contract.states if policy.contract else ()
    return [name for name in names if name in stated and not stated[name]]


def missing_acceptances(policy: Policy, accepted: Collection[str]) -> list[str]:
    """Return what the customer has to accept with the contract, and has not. SMA-20"""
    asked = policy.contract.acceptances if policy.contract else ()
    return [one.name for one in asked if one.name not in accepted]
