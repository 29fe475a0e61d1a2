"""What a text states in lines such as «Prioridad sugerida: P2»: facts and parts that the policy asks for. SMA-04"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plazo.policy.document import Policy
from plazo.policy.facts import BUILT_IN
from plazo.policy.intake import Grade
from tickets.domain.ticket import Facts, FactValue

_LOOKED_AT = 80  # lines
_LINE = re.compile(r"\s*[-*•·]?\s*([^:=\n]{2,80}?)\s*[:=]\s*(\S.{0,400})")
_WORDS: Mapping[str, Sequence[str]] = {
    "suggested_priority": ("prioridad", "prioridad sugerida", "priority", "suggested priority"),
    "suggested_severity": ("severidad", "gravedad", "severidad sugerida", "severity", "suggested severity"),
    "category": ("categoria", "la categoria", "category", "the category"),
    "product": ("producto", "product"),
    "component": ("componente", "component"),
    "business_impact": ("impacto", "impacto en el negocio", "impacto para el negocio", "impact", "business impact"),
}
_YES = {"si", "yes", "true", "verdadero", "x"}
_NO = {"no", "false", "falso"}


@dataclass(frozen=True, slots=True)
class Stated:
    """Facts by name, and the parts of a request that are there, by name with their text."""

    facts: Facts
    parts: dict[str, str]


def stated_in(text: str, policy: Policy) -> Stated:
    """Return what a text states in its first lines; a value that the policy does not know is no statement."""
    labels = _labels(policy)
    parts = {
        _plain(label): part.name
        for part in policy.intake.parts
        for label in (part.name, *part.text.model_dump().values())
    }
    stated = Stated(facts={}, parts={})
    for line in text.split("\n")[:_LOOKED_AT]:
        match = _LINE.match(line[:600])
        if match is None:
            continue
        label, value = _plain(match[1]), match[2].strip()
        fact = labels.get(label)
        if fact is not None and fact not in stated.facts and (known := _value(policy, fact, value)) is not None:
            stated.facts[fact] = known
        elif label in parts:
            stated.parts.setdefault(parts[label], value)
    return stated


def _labels(policy: Policy) -> dict[str, str]:
    """Return the facts that can be stated, by every label they go by."""
    labels = {
        label: fact for fact, words in _WORDS.items() if fact in BUILT_IN or fact in policy.facts for label in words
    }
    for part in policy.intake.parts:
        if part.name in BUILT_IN or part.name in policy.facts:
            labels |= {_plain(label): part.name for label in (part.name, *part.text.model_dump().values())}
    for name, declared in policy.facts.items():
        labels |= {_plain(label): name for label in (name, *declared.text.model_dump().values())}
    return labels


def _value(policy: Policy, fact: str, text: str) -> FactValue | None:
    plain = _plain(text)
    grades = {"suggested_severity": policy.severities, "suggested_priority": policy.priorities}.get(fact)
    if grades is not None:
        return _graded(grades, plain)
    declared = policy.facts.get(fact)
    kind = declared.type if declared else BUILT_IN[fact].type
    if kind == "boolean":
        return True if plain in _YES else False if plain in _NO else None
    if kind == "integer":
        return int(plain) if re.fullmatch(r"-?[0-9]{1,9}", plain) else None
    values = tuple(declared.values) if declared else BUILT_IN[fact].values
    if values:
        return next((value for value in values if _plain(value) == plain), None)
    return text[:200]


def _graded(grades: Sequence[Grade], plain: str) -> str | None:
    for grade in grades:
        if plain in {_plain(one) for one in (grade.name, *grade.text.model_dump().values())}:
            return grade.name
    first = plain.partition(" ")[0]
    return next((grade.name for grade in grades if _plain(grade.name) == first), None)


def _plain(text: str) -> str:
    """Return words without accents, letter case, or the signs around them."""
    apart = unicodedata.normalize("NFKD", text.lower())
    letters = "".join(one for one in apart if not unicodedata.combining(one))
    return " ".join(re.sub(r"[^a-z0-9-]+", " ", letters.replace("_", " ")).split())
