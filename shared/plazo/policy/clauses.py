"""The clauses of the written contracts: the register that policy documents, explanations and ledgers cite."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

from plazo.policy.read_yaml import read_yaml


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: what it orders (`text`) and what must be `seen` from outside.

    `matter` is `system` for what every desk honors, whatever its policy document says.
    """

    id: str
    provider: str
    text: str
    seen: str
    matter: Literal["document", "system"]


def _register() -> dict[str, Any]:
    parsed = read_yaml(resources.files("plazo.policy").joinpath("clauses.yaml").read_text("utf-8"))
    if parsed.faults:
        raise ValueError(f"clauses.yaml: {parsed.faults[0].message}")
    register: dict[str, Any] = parsed.data
    return register


def _clauses() -> Iterator[Clause]:
    for contract in _register()["contracts"]:
        for clause in contract["clauses"]:
            yield Clause(
                id=clause["id"],
                provider=contract["provider"],
                text=clause["text"],
                seen=clause["seen"],
                matter=clause.get("matter", "document"),
            )


#: Every clause by its id, such as PRO-14.
CLAUSES: Mapping[str, Clause] = MappingProxyType({clause.id: clause for clause in _clauses()})


def clauses_of(prefix: str) -> tuple[Clause, ...]:
    """List the clauses of one contract, by the prefix of their ids; none if it is not in the register."""
    return tuple(clause for clause in CLAUSES.values() if clause.id.startswith(f"{prefix}-"))


def clauses_page() -> str:
    """Write the register as the page `shared/docs/clauses.md`."""
    lines = [
        "# The clauses",
        "",
        f"The {len(CLAUSES)} clauses of the five support contracts that a machine can honor, and what an outside",
        "observer must be able to see of each. Ids are stable: policy documents, explanations and ledger entries cite",
        "them. Generated from `shared/plazo/policy/clauses.yaml`: change that file, then run `python -m plazo.policy`.",
    ]
    for contract in _register()["contracts"]:
        lines += ["", f"## {contract['provider']} ({contract['prefix']}): {contract['about']}", ""]
        lines += ["| id | the clause | what must be seen |", "|---|---|---|"]
        lines += [f"| {one['id']} | {one['text']} | {one['seen']} |" for one in contract["clauses"]]
    return "\n".join(lines) + "\n"
