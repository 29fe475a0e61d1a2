"""What the pages say is there is there, and what is there is said."""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness import House

from plazo.events.envelope import SERVICES
from plazo.events.registry import EVENTS
from plazo.runtime import desks, policies
from plazo.runtime.service import Service
from plazo.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
CADDYFILE = (ROOT / "shared/plazo/local/Caddyfile").read_text("utf-8")


@cache
def readme(service: str) -> str:
    """Return the README of a service."""
    return (ROOT / "services" / service.replace("_", "-") / "README.md").read_text("utf-8")


@cache
def service_of(name: str) -> Service:
    """Return a service as its app declares it."""
    service: Service = importlib.import_module(f"{name}.app").SERVICE
    return service


def named(word: str, text: str) -> bool:
    """Return whether a word stands in code marks; of an event `clock.*`, or `.stopped` in a list, will do."""
    family, _, rest = word.partition(".")
    forms = [rf"(?<![\w.]){re.escape(word)}(?!\w)"]
    if rest:
        forms += [re.escape(family) + r"\.\*", rf"(?<!\w)\.{re.escape(rest)}(?!\w)"]
    return re.search(rf"`[^`\n]*(?:{'|'.join(forms)})[^`\n]*`", text) is not None


@pytest.mark.parametrize("service", SERVICES)
class TestReadme:
    def test_names_every_event_it_announces(self, service: str):
        announced = [event.name for (producer, _), event in EVENTS.items() if producer == service]
        assert [name for name in announced if not named(name, readme(service))] == []

    def test_names_every_event_it_reads(self, service: str):
        # What keeps the runtime's copies of desks, keys and policies is the same everywhere.
        of_the_runtime = {
            event for module in (desks, policies) for handlers in module.HANDLERS.values() for event in handlers
        }
        read = {event for handlers in service_of(service).handlers.values() for event in handlers} - of_the_runtime
        assert [event.name for event in read if not named(event.name, readme(service))] == []

    def test_names_every_table_of_its_own(self, service: str):
        tables = importlib.import_module(f"{service}.models").METADATA.tables
        assert [name for name in tables if not named(name, readme(service))] == []

    def test_names_no_event_that_does_not_exist(self, service: str):
        events = {event.name for event in EVENTS.values()}
        families = {name.split(".")[0] for name in events}
        mentioned = re.findall(r"`([a-z_]+\.[a-z_]+)`", readme(service))
        # `ticket.opened` is an event; `desk.clock_at`, a column of a table, is not written like one.
        unknown = {name for name in mentioned if name.split(".")[0] in families and name not in events}
        assert {name for name in unknown if not name.endswith(("_at", "_id"))} == set()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described(field: str):
    pages = [(ROOT / folder / "README.md").read_text("utf-8") for folder in ("shared", "deploy")]
    assert any(named(f"PLAZO_{field.upper()}", page) for page in pages)
    assert Settings.model_fields[field].description


class Gateway:
    """The routing of the Caddyfile, as far as paths decide it."""

    def __init__(self, text: str) -> None:
        self._matchers = [
            (name, paths.split()) for name, paths in re.findall(r"^\t@(\w+) path (.+)$", text, re.MULTILINE)
        ]
        handled = re.findall(
            r"^\t\thandle @(\w+) \{\n\t\t\timport upstream \"\" \{\$(\w+)_UPSTREAM\}", text, re.MULTILINE
        )
        self._order = [(matcher, upstream.lower()) for matcher, upstream in handled]
        pages = re.search(r"_pages path ((?:/\{args\[0\]\}/\S+ ?)+)", text)
        assert pages is not None
        self._own_pages = [path.removeprefix("/{args[0]}") for path in pages[1].split()]

    def service_of(self, path: str) -> str | None:
        """Return the service that a path of the one address leads to."""
        matchers = dict(self._matchers)
        for matcher, service in self._order:
            if any(self._matches(pattern, path) for pattern in matchers[matcher]):
                return service
        return None

    def is_own_page(self, path: str) -> bool:
        """Return whether `/<service><path>` leads to that service."""
        return any(self._matches(pattern, path) for pattern in self._own_pages)

    @staticmethod
    def _matches(pattern: str, path: str) -> bool:
        """Match as Caddy's `path` does: `*` in the middle is one part, at the end all the rest."""
        if pattern.endswith("*") and pattern.count("*") == 1:
            return path.startswith(pattern[:-1])
        parts = "[^/]+".join(re.escape(part) for part in pattern.split("*"))
        return re.fullmatch(parts, path) is not None


def documented_paths(document: dict[str, Any]) -> list[str]:
    """Return the paths of an OpenAPI document, each parameter filled in."""
    return [re.sub(r"\{[^}]+\}", "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01", path) for path in document["paths"]]


# Every service answers these for itself, under its own name.
OF_EACH = ("/v1/dead-letters", "/v1/audit", "/healthz", "/readyz")


@pytest.mark.parametrize("service", SERVICES)
async def test_gateway_leads_every_path_to_its_service(house: House, service: str):
    gateway = Gateway(CADDYFILE)
    astray = {}
    for path in documented_paths(house.apps[service].openapi()):
        if path.startswith(OF_EACH):
            if not gateway.is_own_page(path):
                astray[path] = None
        elif (leads_to := gateway.service_of(path)) != service:
            astray[path] = leads_to
    assert astray == {}


async def test_no_two_services_answer_the_same_path(house: House):
    seen: dict[str, str] = {}
    for service, app in house.apps.items():
        for path in app.openapi()["paths"]:
            if not path.startswith(OF_EACH):
                assert seen.setdefault(path, service) == service, path
