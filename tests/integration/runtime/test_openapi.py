"""The OpenAPI document of each service names and describes all it has; what it promises is tried in `tests/fuzz`."""

import pytest
from harness import House

from plazo.events.envelope import SERVICES


@pytest.mark.parametrize("service", SERVICES)
async def test_every_operation_has_a_name_of_its_own_and_a_description(house: House, service: str):
    operations_of = [
        operation for path in house.apps[service].openapi()["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations_of]
    assert len(set(names)) == len(names)
    assert [operation["operationId"] for operation in operations_of if not operation.get("description")] == []
