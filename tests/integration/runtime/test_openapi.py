"""The OpenAPI document of each service says what it takes and what it answers; requests made from it find no hole."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from harness import DeskUnderTest, House
from hypothesis import HealthCheck, Phase, given, seed, settings

from plazo.events.envelope import SERVICES

EXAMPLES = 3  # of each operation; all services together stay below 30 seconds
ENDLESS = ("/v1/stream",)  # its answer does not end; it has tests of its own


def cases_of(operation: Any, mode: schemathesis.GenerationMode) -> list[schemathesis.Case]:
    """Return some requests for an operation, the same each time."""
    cases: list[schemathesis.Case] = []

    @seed(20260504)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case: schemathesis.Case) -> None:
        cases.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return cases


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """Return the operations of a document whose answers end."""
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.path not in ENDLESS:
            yield operation


async def send(client: httpx.AsyncClient, case: schemathesis.Case, *, prefix: str) -> httpx.Response:
    """Send a generated request as it is."""
    content = None
    if not isinstance(case.body, schemathesis.core.NotSet):
        content = case.body if isinstance(case.body, bytes) else json.dumps(case.body)
    headers = {"Content-Type": "application/json"} | dict(case.headers or {})
    return await client.request(
        case.method, prefix + case.formatted_path, params=case.query or None, headers=headers, content=content
    )


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("mode", schemathesis.GenerationMode, ids=lambda mode: mode.value)
async def test_every_answer_is_a_documented_one(
    house: House, desk: DeskUnderTest, service: str, mode: schemathesis.GenerationMode
):
    document = house.apps[service].openapi()
    asked = 0
    for operation in operations(document):
        documented = {int(status) for status in operation.definition.raw["responses"]}
        for case in cases_of(operation, mode):
            try:
                response = await send(desk.admin, case, prefix=f"/{service.replace('_', '-')}")
            except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
                continue  # no client could send this
            asked += 1
            told = f"{case.method} {case.formatted_path} {case.query} {case.body}\n{response.text[:500]}"
            assert response.status_code in documented, f"{response.status_code} {told}"
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json", told
    assert asked >= len(document["paths"]) - len(ENDLESS)
    await desk.admin.ok("GET", "/v1/desk")


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_has_a_name_of_its_own_and_a_description(house: House, service: str):
    operations_of = [
        operation for path in house.apps[service].openapi()["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations_of]
    assert len(set(names)) == len(names)
    assert [operation["operationId"] for operation in operations_of if not operation.get("description")] == []
