"""Requests that follow one another along the links of the documents find no hole in any service.

No answer is a 5xx; each has a status, a type, headers and a shape that its document declares; every error is a problem;
what the schema refuses is refused; nothing is answered without a key; what was deleted is gone, what was made is there.
"""

import asyncio
import os
import random
import warnings
from typing import Any

import pytest
import schemathesis
from fuzz.bounds import LONG
from fuzz.walk import (
    CHECKS,
    ENDLESS,
    Findings,
    Street,
    Vocabulary,
    callers_of,
    furnish,
    make_plausible,
    one_document,
    told,
    walker,
)
from harness import OPERATOR_KEY, DeskUnderTest, House
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

SEED = int(os.environ.get("PLAZO_FUZZ_SEED", "20261122"))
SCENARIOS, STEPS = (800, 30) if LONG else (8, 12)


def once(count: int) -> settings:
    """Return settings for so many examples that are generated once each: the house remembers the last."""
    return settings(
        max_examples=count,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        backend="independent",
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
async def street(desk: DeskUnderTest) -> Street:
    """A desk with some of everything, and a caller of each role."""
    words = Vocabulary(random.Random(SEED))
    await furnish(desk, words)
    callers = await callers_of(desk, desk.house.client(OPERATOR_KEY))
    keys = await desk.admin.ok("GET", "/v1/keys")
    words.never = {key["key_id"] for key in keys} | {str(desk.desk_id)}  # revoked, nobody would be let in any more
    return Street(callers, desk.house.client(), words, Findings(), asyncio.get_running_loop())


@pytest.mark.timeout(3600 if LONG else 300)
async def test_walks_along_the_links_find_no_hole(house: House, street: Street):
    machine = seed(SEED)(walker(one_document(house), street))
    await asyncio.to_thread(machine.run, settings=once(SCENARIOS))
    assert not street.found.wrong, "\n".join([f"PLAZO_FUZZ_SEED={SEED}", *told(street.found)])
    assert len(street.found.succeeded()) >= (80 if LONG else 10), "a walk that gets nowhere shows nothing"
    await street.callers["administrator"].ok("GET", "/v1/desk")


@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
async def test_every_operation_answers_as_its_document_says(house: House, street: Street, mode: GenerationMode):
    schema = schemathesis.openapi.from_dict(one_document(house)).exclude(path_regex=ENDLESS)
    operations = [result.ok() for result in schema.get_all_operations()]
    if mode is GenerationMode.NEGATIVE:
        operations = [operation for operation in operations if can_be_wrong(operation.definition.raw)]
    asked: set[str] = set()

    def ask_all() -> None:
        for operation in operations:

            @seed(SEED)
            @once(20 if LONG else 1)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                if mode is GenerationMode.POSITIVE:
                    make_plausible(case, street.words, keep=set())
                street.judge(case, street.ask(case, role="administrator"), of=CHECKS)
                asked.add(case.operation.label)

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ask()

    await asyncio.to_thread(ask_all)
    assert not street.found.wrong, "\n".join([f"PLAZO_FUZZ_SEED={SEED}", *told(street.found)])
    assert asked == {operation.label for operation in operations}
    await street.callers["administrator"].ok("GET", "/v1/desk")


def can_be_wrong(operation: dict[str, Any]) -> bool:
    """Tell whether an operation takes anything that is not just any text: in its query, path or body."""
    parameters = [one for one in operation.get("parameters", ()) if one["in"] != "header"]
    is_typed = any(one["in"] == "query" or one["schema"].keys() > {"type", "title"} for one in parameters)
    return is_typed or "application/json" in operation.get("requestBody", {}).get("content", {})


TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "*",
        '"1"',
        'W/"1"',
        "wait=5",
        "wait=99999",
        "wait=1,wait=2",
        "es",
        "en;q=0",
        "Bearer",
        "Bearer plz_a_b",
        "00-0-0-00",
        "1777899600-1",
        "٣-٣",
        "text/plain",
        "application/json; charset=utf-7",
        "multipart/form-data; boundary=",
        "\x00",
        "9" * 5000,
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Prefer",
            "Accept-Language",
            "Accept",
            "Content-Type",
            "traceparent",
            "Last-Event-ID",
            "Authorization",
            "Range",
            "Transfer-Encoding",
            "X-Forwarded-For",
            "Host",
            "Origin",
            "Expect",
        ]
    ),
    TEXTS.map(lambda text: text.encode("utf-8", "replace")),
    max_size=4,
)


def some_headers(count: int) -> list[dict[str, bytes]]:
    """Return headers as nobody would send them."""
    drawn: list[dict[str, bytes]] = []

    @seed(SEED)
    @once(count)
    @given(HEADERS)
    def collect(headers: dict[str, bytes]) -> None:
        drawn.append(headers)

    collect()
    return drawn


async def test_odd_headers_are_taken_or_refused(desk: DeskUnderTest):
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/tickets", {}),
        ("POST", "/v1/customers", {"json": {"name": "Una"}}),
        ("PATCH", f"/v1/customers/{desk.desk_id}", {"json": {"name": "Dos"}}),
        ("GET", "/v1/clocks", {}),
        ("POST", "/v1/deadlines", {"json": {"start": "2026-04-30T14:00:00Z", "target": "8h"}}),
    ]
    for number, headers in enumerate(some_headers(3000 if LONG else 60)):
        method, path, options = requests[number % len(requests)]
        answer = await desk.admin.request(method, path, headers=headers, **options)
        assert answer.status_code < 500, (method, path, headers, answer.text)
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json", (method, path, headers)
    await desk.admin.ok("GET", "/v1/desk")
