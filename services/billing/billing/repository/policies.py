"""Policy versions at hand: a version never changes, so one that was read is not read again."""

from uuid import UUID
from weakref import WeakValueDictionary

from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction

_at_hand: WeakValueDictionary[tuple[UUID, str, str], Policy] = WeakValueDictionary()  # while the runtime keeps them


async def known_policy(tx: Transaction, *, policy: str, version: str) -> Policy:
    """Return a version of a policy of the desk. :raises NotYet: if its publication has not come yet"""
    key = (tx.desk_id, policy, version)
    found = _at_hand.get(key)
    if found is None:
        found = await policies.known_policy(tx.connection, policy=policy, version=version)
        _at_hand[key] = found
    return found
