"""Walks through the HTTP API along the links of its documents, with requests made from their schemas.

The four documents are one for the walk, so that a ticket's id leads on to clocks, messages and charges. What is
generated is made plausible before it is sent (`Vocabulary`): ids that were seen, words that the policies know.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import requests
import schemathesis
from harness import Client, DeskUnderTest, House
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks
from schemathesis.specs.openapi.checks import EnsureResourceAvailability, UseAfterFree

from plazo.policies import policy_text
from plazo.runtime.links import add_links

ADDRESS = "http://house"
ENDLESS = r"/stream$"  # its answer does not end; it has tests of its own
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
CHECKS_OF_A_WALK = [*CHECKS, checks.use_after_free, checks.ensure_resource_availability]
ROLES = ("administrator",) * 8 + ("manager", "agent", "agent", "requester", "requester", "integration")
_PLANS = {
    "expande": ["basic", "enterprise_premium"],
    "smartcloud": ["dedicated"],
    "ireo": [None],
    "prodequa": [None],
    "skedu": [None],
}
_FACTS: dict[str, Any] = {
    "server_down": True,
    "sales_impossible": False,
    "blocked_process_minutes": 46,
    "business_impact": "material",
    "component": "cloud",
}
_WORDS: dict[str, list[Any]] = {
    "policy": list(_PLANS),
    "document": [policy_text(name) for name in _PLANS],
    "valid_from": ["2020-01-01"],
    "valid_until": ["2026-05-04", "2027-01-01"],
    "from": ["2026-05-04"],
    "timezone": ["Europe/Madrid"],
    "month": ["2026-04", "2026-05"],
    "advance": ["1m", "5h"],
    "target": ["30m", "8h"],
    "quantity": [1, 7, 121],
    "minutes": [1, 7, 121],
    "events": [["*"], ["ticket.*", "clock.breached"]],
    "starts_at": ["2026-05-06T09:00:00Z"],
    "ends_at": ["2026-05-06T10:00:00Z"],
}
_ADDRESSES = ("email", "contact_email", "address")
_INSTANTS = ("to", "until", "due_before")


class Independent(HypothesisProvider):
    """Draws each scenario on its own: the house remembers the last, so that none can be held to it."""


AVAILABLE_PROVIDERS["independent"] = Independent


def one_document(house: House) -> dict[str, Any]:
    """Return the OpenAPI documents of all services as one; paths and names begin with the service's name."""
    whole: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "Plazo", "version": "1"}, "paths": {}}
    schemas: dict[str, Any] = {}
    for service, app in house.apps.items():
        text = json.dumps(app.openapi()).replace("#/components/schemas/", f"#/components/schemas/{service}-")
        document = json.loads(text)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["operationId"] = f"{service}_{operation['operationId']}"
                for response in operation["responses"].values():
                    response.pop("links", None)
            whole["paths"][f"/{service.replace('_', '-')}{path}"] = operations
        schemas |= {f"{service}-{name}": schema for name, schema in document["components"]["schemas"].items()}
    whole["components"] = {"schemas": schemas}
    add_links(whole)
    return whole


@dataclass
class Vocabulary:
    """What a request may plausibly say: ids seen in answers, and words of the policies that were published."""

    rng: random.Random
    seen: dict[str, list[str]] = field(default_factory=dict)
    never: set[str] = field(default_factory=set)

    def learn(self, answer: Any) -> None:
        """Remember the ids in an answer."""
        if isinstance(answer, dict):
            for name, value in answer.items():
                if isinstance(value, str) and name.endswith("_id") and value not in self.never:
                    known = self.seen.setdefault(name, [])
                    if value not in known:
                        known.append(value)
                        del known[:-40]
                else:
                    self.learn(value)
        elif isinstance(answer, list):
            for one in answer[:20]:
                self.learn(one)

    def enrich(self, fields: dict[str, Any]) -> None:
        """Replace most of what was made up by what makes sense."""
        for name in list(fields):
            if self.rng.random() < 0.9:
                fields[name] = self.word(name, fields[name])
        if fields.get("policy") in _PLANS and "plan" in fields:
            fields["plan"] = self.rng.choice(_PLANS[fields["policy"]])

    def word(self, name: str, made_up: Any) -> Any:
        """Return a value for a field, or what was made up where nothing is known of it."""
        known = self.seen.get(name) or self.seen.get(f"{name}_id")
        if known and isinstance(made_up, str | None):
            return self.rng.choice(known)
        if name in _WORDS:
            return self.rng.choice(_WORDS[name])
        if not isinstance(made_up, str):
            return _facts(self.rng) if name == "facts" else made_up
        if name in _ADDRESSES:
            return f"{self.rng.choice('abc')}@example.com"
        return self._instant() if name.endswith("_at") or name in _INSTANTS else made_up

    def _instant(self) -> str:
        return f"2026-05-{self.rng.randint(1, 9):02}T{self.rng.randint(0, 23):02}:00:00Z"


def _facts(rng: random.Random) -> dict[str, Any]:
    return dict(rng.sample(sorted(_FACTS.items()), rng.randint(0, 3)))


@dataclass
class Findings:
    """What was asked, how it was answered, and what should not have been."""

    statuses: dict[tuple[str, int], int] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def count(self, label: str, status: int) -> None:
        """Take note of an answer."""
        self.statuses[label, status] = self.statuses.get((label, status), 0) + 1

    def add(self, kind: str, case: schemathesis.Case, answer: httpx.Response, message: str) -> None:
        """Keep the first failure of a kind for each operation."""
        request = answer.request
        told = (
            f"{kind} {message}\n{request.method} {request.url} {dict(case.headers or {})}\n{request.content[:2000]!r}"
            f"\n{answer.status_code} {answer.headers.get('content-type')} {answer.text[:1500]}\n"
        )
        self.wrong.setdefault(f"{case.operation.label}: {kind}", told)

    def succeeded(self) -> set[str]:
        """Return the operations that were answered with success at least once."""
        return {label for label, status in self.statuses if status < 300}


@dataclass
class Street:
    """Where a walk goes: as whom requests are sent, what is said in them, what was found."""

    callers: dict[str, Client]
    nobody: Client
    words: Vocabulary
    found: Findings
    loop: asyncio.AbstractEventLoop
    answer: httpx.Response = field(init=False)

    def ask(self, case: schemathesis.Case, *, role: str) -> Response:
        """Send a request as a role, and look at what any answer must be."""
        chance = self.words.rng.random
        if "/keys/{key_id}/" in case.path and case.path_parameters.get("key_id") in self.words.never:
            case.path_parameters["key_id"] = "none"  # the walk goes on with these
        request = requests.Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
        role = "operator" if "/v1/desks" in case.operation.label and chance() < 0.7 else role
        answer = self.send(self.callers[role], request)
        self.found.count(case.operation.label, answer.status_code)
        if answer.is_success and is_json(answer) and case.operation.label != "GET /tickets/v1/desks":
            self.words.learn(answer.json())
        if answer.is_error and answer.headers.get("content-type") != "application/problem+json":
            self.found.add("no problem", case, answer, "an error that is no problem document")
        if answer.status_code == 422 and re.search(r"a value is out of range|U.0000, which is not", answer.text):
            self.found.add("unnamed fault", case, answer, "the database refused what the schema let pass")
        if is_keyed(case.operation.label) and chance() < 0.1:
            anonymous = self.send(self.nobody, request)
            if anonymous.status_code not in (400, 401, 413, 414, 431):  # too large, or no JSON, is said to anybody
                self.found.add("no key asked for", case, anonymous, "expected 401")
        self.answer = answer
        return Response(
            status_code=answer.status_code,
            headers={name.lower(): [value] for name, value in answer.headers.items()},
            content=answer.content,
            request=request,
            elapsed=0.0,
            verify=True,
            encoding=answer.encoding,
        )

    def judge(self, case: schemathesis.Case, response: Response, *, of: list[Any], recorder: Any = None) -> None:
        """Hold the last answer against what the document says of it."""
        try:
            case.validate_response(response, checks=of, transport_kwargs={"base_url": ADDRESS}, recorder=recorder)
        except FailureGroup as group:
            for failure in group.exceptions:
                assert isinstance(failure, Failure)
                if not is_excused(failure, case, self.answer):
                    told = f"{failure.title}: {failure.message}"
                    self.found.add(type(failure).__name__, case, self.answer, told)

    def send(self, caller: Client, request: requests.PreparedRequest) -> httpx.Response:
        """Send a request from the thread of the walk, as it is."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = [(name, _bytes(value)) for name, value in request.headers.items() if name != "Content-Length"]
        sending = caller.request(str(request.method), str(request.url), headers=headers, content=body)
        return asyncio.run_coroutine_threadsafe(sending, self.loop).result(30)


def walker(document: dict[str, Any], street: Street) -> type[Any]:
    """Return a state machine that walks a document, each scenario as one of the callers."""
    schema = schemathesis.openapi.from_dict(document).exclude(path_regex=ENDLESS)
    machine: type[Any] = schema.as_state_machine()

    class Walk(machine):  # type: ignore[misc]
        def setup(self) -> None:
            self.role = street.words.rng.choice(ROLES)

        def step(self, input: Any) -> Any:  # noqa: A002  # the library's name
            applied = {name for _, name in input.applied_parameters}
            if input.case.meta is None or input.case.meta.generation.mode is GenerationMode.POSITIVE:
                make_plausible(input.case, street.words, keep=applied)
            return super().step(input)

        def call(self, case: schemathesis.Case, **_: Any) -> Response:
            return street.ask(case, role=self.role)

        def validate_response(self, response: Response, case: schemathesis.Case, **_: Any) -> None:
            street.judge(case, response, of=CHECKS_OF_A_WALK, recorder=self.recorder)

    return Walk


def is_json(answer: httpx.Response) -> bool:
    """Tell whether an answer has a body of plain JSON."""
    return bool(answer.content) and answer.headers.get("content-type") == "application/json"


def is_keyed(label: str) -> bool:
    """Tell whether an operation asks for a key."""
    return not re.search(r"/(healthz|readyz|acknowledgements/|mailbox|intake/webhooks/)", label)


def is_excused(failure: Failure, case: schemathesis.Case, answer: httpx.Response) -> bool:
    """Tell whether the library sees a failure where there is none."""
    if isinstance(failure, AcceptedNegativeData):  # any bytes are a file; too much is refused otherwise
        return case.media_type not in (None, "application/json") or answer.is_error
    if isinstance(failure, UseAfterFree):  # words of the desk's own that were taken away: the product's are there again
        return case.operation.label == "GET /escalation/v1/templates/{name}"
    return isinstance(failure, EnsureResourceAvailability) and isinstance(case.body, dict)  # 404 of what the body names


def make_plausible(case: schemathesis.Case, words: Vocabulary, *, keep: set[str | None]) -> None:
    """Replace what was made up in a request by what makes sense; what a link gave stays."""
    for container in (case.path_parameters, case.query):
        if container:
            if words.rng.random() < 0.8:
                container.pop("cursor", None)
            fields = {name: value for name, value in container.items() if name not in keep}
            words.enrich(fields)
            container.update(fields)
    if isinstance(case.body, dict):
        case.body = whole(case.body)
        words.enrich(case.body)
    if case.headers and words.rng.random() < 0.8:
        for name in ("idempotency-key", "if-match"):
            case.headers.pop(name, None)


def whole(value: Any) -> Any:
    """Return JSON whose whole numbers are written as such: 2.0 is an integer for a schema, and none for Plazo."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")


async def furnish(desk: DeskUnderTest, words: Vocabulary) -> None:
    """Give a desk some of everything, so that the first steps of a walk lead somewhere."""
    for policy in ("expande", "smartcloud", "ireo"):
        await desk.publish(policy)
    contract = await desk.customer("expande", plan="basic")
    prepaid = await desk.customer("smartcloud", plan="dedicated")
    tickets = [await desk.open_ticket(contract), await desk.open_ticket(contract, facts={"server_down": True})]
    about = {name: contract[name] for name in ("customer_id", "contract_id")}
    ticket = {"ticket_id": tickets[0]["ticket_id"]}
    made = [contract, prepaid, *tickets]
    for path, body in (
        ("/v1/contacts", {"customer_id": about["customer_id"], "name": "Ana", "emails": ["ana@example.com"]}),
        ("/v1/hooks", {"name": "Alertas", "kind": "alertmanager", "contract_id": about["contract_id"]}),
        ("/v1/agents", {"name": "Eva", "email": "eva@example.com", "levels": [1, 2], "roles": ["team_lead"]}),
        ("/v1/subscriptions", {"url": "https://partner.example.com/plazo", "events": ["contact.erased"]}),
        ("/v1/outages", {"contract_id": about["contract_id"], "started_at": "2026-05-04T09:00:00Z"}),
        ("/v1/quotes", ticket | {"minutes": 60, "description": "Informe", "valid_until": "2026-06-01T00:00:00Z"}),
        ("/v1/escalations", ticket | {"trigger": "agent_request"}),
        ("/v1/views", {"name": "Todo", "filter": {}}),
    ):
        answer = await desk.admin.post(path, json=body)
        assert answer.status_code in (201, 409, 422), f"{path}: {answer.text}"
        made.append(answer.json())
    await desk.settled()
    lists = ("/v1/accounts", "/v1/clocks", "/v1/messages", "/v1/escalations")
    made += [await desk.admin.ok("GET", path) for path in lists]
    for one in made:
        words.learn(one)


async def callers_of(desk: DeskUnderTest, operator: Client) -> dict[str, Client]:
    """Return a caller of each role."""
    contract = await desk.customer("expande", plan="basic")
    return {
        "administrator": desk.admin,
        "operator": operator,
        "requester": await desk.key("requester", customer_id=contract["customer_id"]),
        **{role: await desk.key(role) for role in ("manager", "agent", "integration")},
    }


def told(found: Findings) -> Iterator[str]:
    """Return what was wrong, for people."""
    for name, text in sorted(found.wrong.items()):
        yield f"=== {name}\n{text}"
