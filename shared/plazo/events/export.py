"""Writes what other programs read of the events: a JSON Schema for each, and one AsyncAPI document for all.

`python -m plazo.events.export` writes them anew after an event has changed.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from plazo.events.envelope import SERVICES, Event
from plazo.events.registry import EVENTS

SCHEMAS = Path(__file__).with_name("schemas")
ASYNCAPI = Path(__file__).parents[2] / "docs" / "asyncapi.json"

_UUID = {"type": "string", "format": "uuid"}
_INSTANT = {"type": "string", "format": "date-time"}
_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes in binary mode, as NATS headers.",
    "properties": {
        "Nats-Msg-Id": _UUID | {"description": "the same as ce-id; the stream stores an id once"},
        "ce-specversion": {"const": "1.0"},
        "ce-id": _UUID,
        "ce-source": {"type": "string", "description": "the service that announces it", "pattern": "^/[a-z_]+$"},
        "ce-type": {"type": "string"},
        "ce-subject": _UUID | {"description": "the aggregate that order is kept for: the ticket wherever there is one"},
        "ce-time": _INSTANT | {"description": "when it became true"},
        "ce-datacontenttype": {"const": "application/json"},
        "ce-recordedtime": _INSTANT | {"description": "when the service learnt it"},
        "ce-desk": _UUID,
        "ce-aggregateversion": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "counts what this service announced about the subject: 1, 2, 3, without gaps",
        },
        "ce-correlationid": _UUID | {"description": "shared by all that one request set in motion"},
        "ce-causationid": _UUID | {"description": "the event that this one follows from"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
    },
    "required": [
        "Nats-Msg-Id",
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-subject",
        "ce-time",
        "ce-datacontenttype",
        "ce-recordedtime",
        "ce-desk",
        "ce-aggregateversion",
        "ce-correlationid",
    ],
}


def event_schema(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event's payload, as a reader has to understand it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | event.model_json_schema()


def asyncapi_document() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel for each service, a message for each of its events."""
    events = _by_type()
    named, definitions = models_json_schema(
        [(event, "validation") for event in events.values()], ref_template="#/components/schemas/{model}"
    )
    messages = {
        event.type(): {
            "name": event.type(),
            "title": event.__name__,
            "summary": (event.__doc__ or "").partition("\n")[0],
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/Headers"},
            "payload": named[event, "validation"],
        }
        for event in events.values()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Plazo: events",
            "version": version("plazo"),
            "description": "What the four services announce, over NATS JetStream. At least once; in order per subject.",
        },
        "defaultContentType": "application/json",
        "channels": {service: _channel(service) for service in SERVICES},
        "operations": {
            f"announce_{service}": {"action": "send", "channel": {"$ref": f"#/channels/{service}"}}
            for service in SERVICES
        },
        "components": {"messages": messages, "schemas": {"Headers": _HEADERS} | definitions["$defs"]},
    }


def _by_type() -> dict[str, type[Event]]:
    """Return the events, each type once: a timer is requested in the same words by every service."""
    return {event.type(): event for event in EVENTS.values()}


def _channel(service: str) -> dict[str, Any]:
    types = [type_ for producer, type_ in EVENTS if producer == service]
    return {
        "address": f"plazo.{service}.{{partition}}.{{type}}",
        "description": f"What {service} announces; the stream PLAZO_{service.upper()}.",
        "parameters": {
            "partition": {"description": "p00 to p15; the same for all events of a subject"},
            "type": {"enum": types, "description": "the type of the event"},
        },
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in types},
    }


def exported_files() -> dict[Path, str]:
    """Return every exported file and its content."""
    documents = {SCHEMAS / f"{event.type()}.json": event_schema(event) for event in _by_type().values()}
    documents[ASYNCAPI] = asyncapi_document()
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in documents.items()}


def export() -> None:
    """Write every exported file; a schema whose event is gone goes too."""
    files = exported_files()
    SCHEMAS.mkdir(exist_ok=True)
    for left in set(SCHEMAS.glob("*.json")) - files.keys():
        left.unlink()
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    export()
