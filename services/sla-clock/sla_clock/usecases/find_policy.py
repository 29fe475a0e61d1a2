"""The published policies that a question names."""

from datetime import datetime
from uuid import UUID

from plazo.kernel.errors import NotFound
from plazo.policy import Policy
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.repository import agreements


async def find_published(
    uow: UnitOfWork, *, policy: str, version: str | None, at: datetime, customer_id: UUID | None
) -> Policy:
    """Return a version of a policy, or the one in force `at` an instant.

    A customer is told of the policies that contracts of its own are under; another's is to it as one that is not there.

    :raises NotFound: if there is no such policy or version for the caller
    """
    async with uow.read() as connection:
        if version is None:
            found = await policies.policy_in_force(connection, policy=policy, at=at)
        else:
            found = await policies.find_policy(connection, policy=policy, version=version)
        is_shown = customer_id is None or await agreements.has_policy(
            connection, customer_id=customer_id, policy=policy
        )
    if found is None or not is_shown:
        raise NotFound(f"there is no policy {policy} {version or 'in force'} in this desk")
    return found
