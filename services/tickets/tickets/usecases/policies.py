"""Publishing policy documents."""

import asyncio

from plazo.events.tickets import PolicyPublished
from plazo.kernel.errors import Fault, Kind, PlazoError
from plazo.policy.check import checked_policy
from plazo.policy.load import PolicyInvalid
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.schemas.parties import FindingView, NewPolicyVersion, PolicyView


class VersionExists(PlazoError):
    """A published version is never replaced: tickets were opened under it."""

    kind = Kind.CONFLICT
    code = "policy-version-exists"


async def publish_policy(uow: UnitOfWork, *, document: str) -> NewPolicyVersion:
    """Publish a version of a policy, from its YAML text.

    :raises PolicyInvalid: with every fault of the document and its line
    :raises VersionExists: if the desk has that version with another content
    """
    policy, found = await asyncio.to_thread(checked_policy, document, now=uow.now)
    findings = [
        FindingView(
            severity=finding.severity,
            kind=finding.kind,
            pointer=finding.pointer,
            message=finding.message,
            line=finding.line,
        )
        for finding in found
    ]
    if errors := [finding for finding in findings if finding.severity == "error"]:
        faults = [Fault(pointer=one.pointer, message=one.message, line=one.line) for one in errors]
        raise PolicyInvalid(f"policy {policy.policy} has {len(errors)} errors", faults=faults)
    content = policy.model_dump(mode="json", exclude_defaults=True)
    view = NewPolicyVersion(
        policy=policy.policy, version=policy.version, effective_from=policy.effective_from, findings=findings
    )
    async with uow.begin() as tx:
        if await policies.insert_policy(
            tx,
            policy=policy.policy,
            version=policy.version,
            effective_from=policy.effective_from,
            document=content,
        ):
            tx.emit(
                PolicyPublished(
                    policy=policy.policy,
                    policy_version=policy.version,
                    effective_from=policy.effective_from,
                    document=content,
                ),
                about=policies.policy_id(tx.desk_id, policy.policy),
                occurred_at=tx.now,
            )
        elif await policies.find_policy(tx.connection, policy=policy.policy, version=policy.version) != policy:
            raise VersionExists(
                f"policy {policy.policy} has a version {policy.version} with another content; "
                "give the changed document a new version"
            )
        tx.answer = view.model_dump(mode="json")
    return view


async def list_policies(uow: UnitOfWork) -> list[PolicyView]:
    """Return all published versions, by policy and effective date."""
    async with uow.read() as connection:
        rows = await connection.fetch(
            "SELECT policy, version, effective_from, published_at FROM policy_version "
            "ORDER BY policy, effective_from, version"
        )
    return [PolicyView(**row) for row in rows]
