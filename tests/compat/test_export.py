"""The exported schemas and the AsyncAPI document say what the code says."""

import json
from typing import Any

from plazo.events import export
from plazo.events.envelope import Event
from plazo.events.registry import EVENTS


def test_a_type_means_the_same_whoever_announces_it():
    by_type: dict[str, list[type[Event]]] = {}
    for event in EVENTS.values():
        by_type.setdefault(event.type(), []).append(event)
    for type_, events in by_type.items():
        assert len({json.dumps(export.event_schema(event), sort_keys=True) for event in events}) == 1, type_


def test_exported_files_are_fresh():
    stale = [
        path.name
        for path, content in export.exported_files().items()
        if not path.exists() or path.read_text("utf-8") != content
    ]
    assert not stale, "run `python -m plazo.events.export`"
    assert set(export.SCHEMAS.glob("*.json")) == set(export.exported_files()) - {export.ASYNCAPI}


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


class TestAsyncApiDocument:
    DOCUMENT = json.loads(export.ASYNCAPI.read_text("utf-8"))

    def test_names_every_event_in_the_channel_of_its_service(self):
        channels = self.DOCUMENT["channels"]
        assert {(name, type_) for name, channel in channels.items() for type_ in channel["messages"]} == set(EVENTS)

    def test_has_what_every_reference_points_to(self):
        for reference in references(self.DOCUMENT):
            node = self.DOCUMENT
            for part in reference.removeprefix("#/").split("/"):
                assert part in node, reference
                node = node[part]

    def test_says_what_each_message_means(self):
        assert all(message["summary"] for message in self.DOCUMENT["components"]["messages"].values())
