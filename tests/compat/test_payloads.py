"""Every event has a golden payload, as it was first published. One is added with each event; none is ever edited."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from plazo.events import export
from plazo.events.registry import EVENTS, event_class

GOLDEN = Path(__file__).with_name("golden")
PAYLOADS = sorted(GOLDEN.glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_every_event_has_a_golden_payload():
    assert {name_of(path) for path in PAYLOADS} == {f"{producer}/{type_}" for producer, type_ in EVENTS}


@pytest.mark.parametrize("path", PAYLOADS, ids=name_of)
class TestGoldenPayload:
    def test_is_still_read_without_loss(self, path: Path):
        payload = json.loads(path.read_text("utf-8"))
        event = event_class(path.parent.name, path.stem)
        assert event is not None

        understood = event.model_validate(payload).model_dump(mode="json")

        # A field added since has a default; every field of then means what it meant.
        assert {name: understood[name] for name in payload} == payload

    def test_is_read_where_a_later_version_added_fields(self, path: Path):
        payload = json.loads(path.read_text("utf-8"))
        event = event_class(path.parent.name, path.stem)
        assert event is not None
        assert event.model_validate(payload | {"added_later": {"unknown": 1}}) == event.model_validate(payload)

    def test_fits_the_exported_schema(self, path: Path):
        schema = json.loads((export.SCHEMAS / path.name).read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        payload = json.loads(path.read_text("utf-8"))
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(payload)

    def test_lacks_nothing_the_schema_requires(self, path: Path):
        schema = json.loads((export.SCHEMAS / path.name).read_text("utf-8"))
        validator = Draft202012Validator(schema)
        payload = json.loads(path.read_text("utf-8"))
        for name in schema["required"]:
            assert not validator.is_valid({key: value for key, value in payload.items() if key != name}), name
