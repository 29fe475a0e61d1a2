"""The files made from this package are fresh: `python -m plazo.policy` writes them."""

import json

import jsonschema
import pytest

from plazo.policies import policy_names, policy_text
from plazo.policy import CLAUSES, clauses_of, policy_schema
from plazo.policy.__main__ import generated_files
from plazo.policy.read_yaml import read_yaml


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: path.name)
def test_a_generated_file_is_fresh(path):
    assert path.read_text("utf-8") == generated_files()[path], "run: python -m plazo.policy"


@pytest.mark.parametrize("name", policy_names())
def test_an_editor_accepts_the_contract(name):
    jsonschema.Draft202012Validator(policy_schema()).validate(read_yaml(policy_text(name)).data)


def test_an_editor_refuses_an_unknown_field():
    data = read_yaml(policy_text("skedu")).data | {"colour": "green"}

    assert not jsonschema.Draft202012Validator(policy_schema()).is_valid(data)


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(policy_schema())
    assert json.loads(json.dumps(policy_schema())) == policy_schema()


@pytest.mark.parametrize(("prefix", "count"), [("EXP", 18), ("IRE", 19), ("PRO", 23), ("SKE", 12), ("SMA", 20)])
def test_the_register_has_every_clause(prefix, count):
    numbers = [int(clause.id.removeprefix(f"{prefix}-")) for clause in clauses_of(prefix)]

    assert numbers == list(range(1, count + 1))


def test_a_clause_says_what_it_orders_and_what_is_seen():
    clause = CLAUSES["SMA-16"]

    assert (clause.provider, clause.text) == ("SmartCloud Solutions", "minimum one unit per request")
    assert clause.seen == "a 5-minute job charges 1"
