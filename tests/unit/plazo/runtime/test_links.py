"""Links of an OpenAPI document: from what an answer gives to where it may be used."""

from typing import Any

from plazo.runtime.links import add_links


def operation(name: str, path: str, *, query: str = "", **responses: Any) -> dict[str, Any]:
    """Return an operation with its path parameters, perhaps one in the query, and answers by `_status`."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": one, "in": "path"} for one in names] + ([{"name": query, "in": "query"}] if query else [])
    answers = {
        status.removeprefix("_"): {"content": {"application/json": {"schema": schema}}}
        for status, schema in responses.items()
    }
    return {"operationId": name, "parameters": parameters, "responses": answers}


def thing(*fields: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "string"} for name in fields}}


def linked(paths: dict[str, dict[str, Any]], schemas: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Return by operation what its answer leads to: the parameters of each target."""
    document = {"paths": paths, "components": {"schemas": schemas or {}}}
    add_links(document)
    return {
        one["operationId"]: {name: link["parameters"] for name, link in response["links"].items()}
        for methods in paths.values()
        for one in methods.values()
        for response in one["responses"].values()
        if "links" in response
    }


def test_what_is_created_leads_to_every_route_about_it():
    paths = {
        "/things": {
            "post": operation("make", "/things", _201={"$ref": "#/components/schemas/Thing"}),
            "get": operation("list", "/things", query="cursor"),
        },
        "/things/{thing_id}": {"get": operation("read", "/things/{thing_id}", _200=thing("thing_id"))},
        "/parts": {"get": operation("parts", "/parts", query="thing")},
        "/others/{other_id}": {"get": operation("other", "/others/{other_id}")},
    }
    found = linked(paths, {"Thing": thing("thing_id", "other_id")})
    assert found == {
        "make": {
            "read": {"path.thing_id": "$response.body#/thing_id"},
            "parts": {"query.thing": "$response.body#/thing_id"},
        }
    }


def test_part_leads_on_with_the_whole_it_was_made_in():
    path = "/things/{thing_id}/parts"
    paths = {
        path: {"post": operation("add", path, _201=thing("part_id", "name"))},
        f"{path}/{{part_id}}": {"delete": operation("remove", f"{path}/{{part_id}}")},
        "/boxes/{box_id}/{part_id}": {"get": operation("box", "/boxes/{box_id}/{part_id}")},
    }
    parameters = {"path.thing_id": "$request.path.thing_id", "path.part_id": "$response.body#/part_id"}
    assert linked(paths) == {"add": {"remove": parameters}}, "nothing is known of a box"


def test_change_creates_nothing():
    path = "/things/{thing_id}/changes"
    paths = {
        path: {"post": operation("change", path, _201=thing("thing_id"))},
        "/things/{thing_id}": {"get": operation("read", "/things/{thing_id}")},
    }
    assert linked(paths) == {}


def test_what_no_route_creates_is_found_in_a_list():
    page = {"properties": {"items": {"type": "array", "items": thing("clock_id")}}}
    paths = {
        "/clocks": {"get": operation("list", "/clocks", _200=page)},
        "/clocks/{clock_id}": {"get": operation("read", "/clocks/{clock_id}")},
    }
    assert linked(paths) == {"list": {"read": {"path.clock_id": "$response.body#/items/0/clock_id"}}}
