"""The JSON Schema of policy documents, for editors, and what it expects at a place."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from plazo.policy.document import Policy


@cache
def _schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://plazo.example.com/policy.schema.json",
    } | Policy.model_json_schema(mode="validation")


def policy_schema() -> dict[str, Any]:
    """Export the JSON Schema (2020-12) of a policy document."""
    return dict(_schema())


def policy_schema_text() -> str:
    """Write the schema as the committed file has it: `plazo/policies/policy.schema.json`."""
    return json.dumps(_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def expected_fields(location: Sequence[str | int]) -> str:
    """Name the fields that may stand at a place of the document, given as keys and indices."""
    here = list(_alternatives(_schema()))
    for part in location:
        inner = [one for schema in here for one in _step(schema, part)]
        # A location also names the alternatives of a union: those lead nowhere and are passed over.
        here = inner or here
    fields = sorted({name for schema in here for name in schema.get("properties", {})})
    return f"one of {', '.join(fields)}" if fields else "no such field"


def _step(schema: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        inner = schema.get("items")
    else:
        inner = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    if isinstance(inner, dict):
        yield from _alternatives(inner)


def _alternatives(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _alternatives(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _alternatives(one)
    if not {"$ref", "anyOf", "oneOf"} & schema.keys():
        yield schema
