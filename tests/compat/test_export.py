"""The exported schemas and the AsyncAPI document say what the code says."""

import json
from typing import Any

from plazo.events import export
from plazo.events.registry import EVENTS


def test_types_are_unique_over_all_services():
    assert len({type_ for _, type_ in EVENTS}) == len(EVENTS)


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
