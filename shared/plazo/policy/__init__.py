"""Policy documents: a written support contract as versioned data, and what it decides. Pure: no clock, no I/O."""

from plazo.policy.agreed import AgreedTerms, agreed_faults, with_agreed
from plazo.policy.check import Finding, check_policy, check_text
from plazo.policy.clauses import CLAUSES, Clause, clauses_of
from plazo.policy.decide import (
    Match,
    Place,
    TargetDecision,
    calendar_of,
    first_for_kind,
    first_match,
    is_met_by,
    matches,
    place_of,
    reading_of,
    target_for,
    target_rule,
)
from plazo.policy.diff import Change, diff_policies
from plazo.policy.document import Policy
from plazo.policy.load import PolicyInvalid, load_policy, policy_from_json
from plazo.policy.schema import policy_schema

__all__ = [
    "CLAUSES",
    "AgreedTerms",
    "Change",
    "Clause",
    "Finding",
    "Match",
    "Place",
    "Policy",
    "PolicyInvalid",
    "TargetDecision",
    "agreed_faults",
    "calendar_of",
    "check_policy",
    "check_text",
    "clauses_of",
    "diff_policies",
    "first_for_kind",
    "first_match",
    "is_met_by",
    "load_policy",
    "matches",
    "place_of",
    "policy_from_json",
    "policy_schema",
    "reading_of",
    "target_for",
    "target_rule",
    "with_agreed",
]
