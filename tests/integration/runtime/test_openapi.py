"""The OpenAPI document of each service names and describes all it has; what it promises is tried in `tests/fuzz`."""

import asyncio
import importlib

import httpx
import pytest
from harness import House

from plazo.events.envelope import SERVICES
from plazo.runtime.web import create_app


@pytest.mark.parametrize("service", SERVICES)
async def test_every_operation_has_a_name_of_its_own_and_a_description(house: House, service: str):
    operations_of = [
        operation for path in house.apps[service].openapi()["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations_of]
    assert len(set(names)) == len(names)
    assert [operation["operationId"] for operation in operations_of if not operation.get("description")] == []


async def test_who_asks_for_the_document_first_holds_nobody_up(house: House):
    app = create_app(importlib.import_module("tickets.app").SERVICE, settings=house.settings["tickets"])
    make, made = app.openapi, []
    app.openapi = lambda: made.append(None) or make()  # type: ignore[method-assign]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://alone", timeout=60) as client:
        gone, *asked = (asyncio.ensure_future(client.get("/openapi.json")) for _ in range(4))
        answered = 0
        while not any(one.done() for one in asked):
            assert (await client.get("/healthz")).status_code == 200
            answered += 1
            await asyncio.sleep(0)  # an answer without a network gives nobody else a turn
            gone.cancel()
        answers = await asyncio.gather(*asked)
    assert answered > 3, "the others waited"
    assert len(made) == 1
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert [answer.json() for answer in answers] == [house.apps["tickets"].openapi()] * 3
