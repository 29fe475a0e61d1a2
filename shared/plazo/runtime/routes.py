"""Which role may call which route, read from the code: the table in the documentation, and what tests walk.

`python -m plazo.runtime.routes` writes the table anew after a route has changed.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from plazo.events.envelope import SERVICES
from plazo.runtime import web
from plazo.runtime.identity import Role
from plazo.runtime.service import Service

PAGE = Path(__file__).parents[2] / "docs" / "routes-and-roles.md"

OTHERS = {
    "operator": "the operator key of the installation",
    "signature": "no key: the body is signed with the secret of the hook",
    "link": "no key: the address is signed and expires",
}

_TOP = """# Routes and roles

Which role may call which route of which service. Written from the code by `python -m plazo.runtime.routes`; a test
fails when this page is not current, when a route has no rule, or when one lets in a role that is not marked here.

R requester (its own customer only) · A agent · M manager · D administrator · I integration · ● may ·
**✎** an administrative act: recorded, see `GET /<service>/v1/audit`.
A key may have scopes that narrow what its role may do; each service names below the one that a route takes. Access
tokens have the role that their provider states.
"""
_LETTERS = {
    Role.REQUESTER: "R",
    Role.AGENT: "A",
    Role.MANAGER: "M",
    Role.ADMINISTRATOR: "D",
    Role.INTEGRATION: "I",
}


class NoRule(Exception):
    """A route says of nobody that they may call it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a route: roles of keys, or one of :data:`OTHERS`, or anybody for a reason."""

    method: str
    path: str
    name: str
    roles: tuple[str, ...]
    reason: str | None
    is_act: bool


def routers_of(service: Service) -> tuple[APIRouter, ...]:
    """Return the routers of a service: its own, and those that every service has."""
    return (*service.routers, *web.ROUTERS)


def rules_of(service: Service) -> Iterator[Rule]:
    """Return the rule of every route of a service, in the order of the paths. :raises NoRule: naming the route"""
    routes = [route for router in routers_of(service) for route in router.routes]
    for route in sorted(routes, key=lambda one: getattr(one, "path", "")):
        if not isinstance(route, APIRoute):
            raise NoRule(f"{service.name}: {route} is no route of the API")
        for method in sorted(route.methods or ()):
            yield _rule_of(service, route, method)


def _rule_of(service: Service, route: APIRoute, method: str) -> Rule:
    found = list(dict.fromkeys(call for call in _calls_of(route.dependant) if hasattr(call, "roles")))
    if len(found) != 1:
        raise NoRule(
            f"{service.name}: {method} {route.path} has {len(found)} rules; "
            "it takes one: allow, allow_operator, allow_signed, allow_link or allow_anybody"
        )
    call: Any = found[0]
    return Rule(
        method=method,
        path=route.path,
        name=route.name,
        roles=tuple(str(role) for role in call.roles),
        reason=getattr(call, "reason", None),
        is_act=getattr(call, "is_act", False) and method != "GET",
    )


def _calls_of(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls_of(one)


def services() -> dict[str, Service]:
    """Return the four services."""
    return {name: importlib.import_module(f"{name}.app").SERVICE for name in SERVICES}


def page() -> str:
    """Return the table of routes and roles as Markdown."""
    parts = [_TOP]
    for name, service in services().items():
        title = name.replace("_", "-")
        parts.append(f"\n## {title}\n")
        parts.append(f"Scope `{title}:read` for GET, `{title}:write` for all else; who may write may read.\n")
        parts.append(f"| route | {' | '.join(_LETTERS.values())} | |")
        parts.append(f"|---|{'---|' * len(_LETTERS)}---|")
        parts += [_line(rule) for rule in rules_of(service)]
    parts.append(
        "\nBeside these every service serves its documentation to anybody: `/docs`, its files, and `/openapi.json`; "
        "nothing of any desk is in them. `/metrics` is for who reaches a service itself; the gateway shows it to its "
        "own machine alone.\n"
    )
    return "\n".join(parts)


def _line(rule: Rule) -> str:
    marks = ["●" if role in rule.roles else "" for role in _LETTERS]
    said = OTHERS.get(rule.roles[0], "") if rule.reason is None else f"anybody: {rule.reason}"
    note = " ".join(part for part in ("**✎**" if rule.is_act else "", said) if part)
    return f"| {rule.method} `{rule.path}` | {' | '.join(marks)} | {note} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
