"""Links in an OpenAPI document: where the id that an answer gives may be used next, derived from paths and schemas.

An answer is linked if it creates something, or if it lists what no route creates; its first id names that thing. Every
operation whose path has that id, and whose other path parameters are known too, is linked, as is every one that
filters by it in the query.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = ("policy", "version", "month", "address")  # what names a thing beside its id
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class _Operation:
    path: str
    method: str
    spoken: Mapping[str, Any]
    parameters: Mapping[str, str]  # where each stands, by name
    sent: frozenset[str]  # the fields of its body

    @property
    def path_parameters(self) -> list[str]:
        return [name for name, place in self.parameters.items() if place == "path"]


@dataclass(frozen=True, slots=True)
class _Source:
    """An answer that gives an id: of what it creates, or of the first thing it lists."""

    operation: _Operation
    response: dict[str, Any]
    thing: str
    at: str
    fields: Mapping[str, Any]

    def expression(self, name: str) -> str | None:
        """Return where the value of a parameter is found: in the answer, else in the address that was asked."""
        if name in self.fields:
            return f"$response.body#{self.at}/{name}"
        return f"$request.path.{name}" if name in self.operation.path_parameters else None


def add_links(document: dict[str, Any]) -> int:
    """Write the links into a document; returns how many."""
    operations = list(_operations(document))
    count = 0
    for source in list(_sources(document, operations)):
        links = {}
        for target in operations:
            if target is not source.operation and (parameters := _parameters(source, target)):
                name = target.spoken["operationId"]
                links[name] = {"operationId": name, "parameters": parameters}
        if links:
            source.response.setdefault("links", {}).update(links)
            count += len(links)
    return count


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if (spoken := methods.get(method)) is not None:
                contents = spoken.get("requestBody", {}).get("content", {})
                sent = _properties(document, contents.get("application/json", {}).get("schema", {}))
                parameters = {one["name"]: one["in"] for one in spoken.get("parameters", ())}
                yield _Operation(path, method, spoken, parameters, frozenset(sent))


def _sources(document: Mapping[str, Any], operations: list[_Operation]) -> Iterator[_Source]:
    made = [
        source for one in operations if one.method == "post" for source in _answers(document, one, "201", in_list=False)
    ]
    yield from made
    known = {source.thing for source in made}
    for one in operations:
        if one.method == "get" and not one.path_parameters:
            yield from (source for source in _answers(document, one, "200", in_list=True) if source.thing not in known)


def _answers(document: Mapping[str, Any], operation: _Operation, status: str, *, in_list: bool) -> Iterator[_Source]:
    response = operation.spoken["responses"].get(status)
    if response is None:
        return
    fields = _properties(document, response.get("content", {}).get("application/json", {}).get("schema", {}))
    at = ""
    if in_list:
        at, fields = "/items/0", _properties(document, fields.get("items", {}).get("items", {}))
    own = next((name for name in fields if name.endswith("_id")), None) or next(
        (name for name in fields if name in _NAMES), None
    )
    if own is not None and own not in operation.sent and own not in operation.path_parameters:
        yield _Source(operation, response, own, at, fields)


def _parameters(source: _Source, target: _Operation) -> dict[str, str]:
    """Return how the parameters of an operation follow from an answer; empty if it is not about the same thing."""
    thing = source.thing
    if thing in target.path_parameters:
        found = {name: source.expression(name) for name in target.path_parameters}
        return {f"path.{name}": one for name, one in found.items() if one} if all(found.values()) else {}
    if target.path_parameters or target.method != "get":
        return {}
    filters = [name for name in (thing, thing.removesuffix("_id")) if target.parameters.get(name) == "query"]
    return {f"query.{name}": str(source.expression(thing)) for name in filters}


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties
