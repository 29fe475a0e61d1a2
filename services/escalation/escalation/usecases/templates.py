"""A desk's own words: published with every fault told at once, tried out before, and given back."""

from typing import Any

from escalation.domain.letter import paragraphs
from escalation.domain.messages import PLAIN_STEP, Language, ticket_values
from escalation.domain.templates import VARIABLES, check_template
from escalation.domain.ticket import Ticket
from escalation.repository import templates, tickets
from escalation.repository.templates import TemplateVersion
from escalation.schemas.templates import (
    OwnTemplateView,
    PreviewRequest,
    PreviewView,
    RenderedView,
    TemplatesView,
    TemplateView,
    TemplateWords,
)
from escalation.usecases.wording import word_message
from plazo.kernel.errors import Fault, InvalidInput, NotFound
from plazo.policy.document import Policy
from plazo.policy.handling import Template
from plazo.runtime.database import Connection
from plazo.runtime.policies import find_policy
from plazo.runtime.unit_of_work import UnitOfWork

#: What a step says where the policy gives it no template goes by this name.
STEP = "step"

SAMPLE: dict[str, str] = {
    "number": "EXP-1042",
    "subject": "No se puede vender",
    "description": "La taquilla no cobra desde las nueve",
    "opened_at": "04/05/2026 15:00 (Europe/Madrid)",
    "severity": "critical",
    "priority": "P1",
    "due_at": "04/05/2026 16:00 (Europe/Madrid)",
    "kind": "primera respuesta",
    "level": "2",
    "team": "Nivel 2",
    "reason": "plazo incumplido",
    "missing": "pantalla, pasos",
    "closes_at": "11/05/2026 15:00 (Europe/Madrid)",
    "attempt": "2",
    "vendor_reference": "CASE-77",
    "policy": "expande",
    "policy_version": "2024-01",
    "effective_from": "01/06/2026",
    "changes": "targets: 4h → 2h",
    "clause": "EXP-17",
    "customer": "Cines del Sur",
    "contact": "Ana",
    "role": "requester",
}


async def publish_template(uow: UnitOfWork, name: str, words: TemplateWords, *, by: str) -> TemplateView:
    """Make a desk's own words those of a template. The same words again are no new version.

    :raises NotFound: if no policy of the desk has a template of that name
    :raises InvalidInput: with every fault and its line
    """
    _check(words)
    async with uow.begin() as tx:
        await _require_name(tx.connection, name)
        await templates.lock_name(tx, name)
        given = words.model_dump(mode="json")
        current = await templates.newest_version(tx.connection, name)
        if current is None or current.words != given:
            current = await templates.insert_version(tx, name, given, by=by)
        return _view(name, current)


async def withdraw_template(uow: UnitOfWork, name: str, *, by: str) -> TemplateView:
    """Give a template back to the policies. :raises NotFound: if the desk has no words of its own for it"""
    async with uow.begin() as tx:
        await templates.lock_name(tx, name)
        current = await templates.newest_version(tx.connection, name)
        if current is None or current.words is None:
            raise NotFound(f"this desk has no words of its own for the template {name!r}")
        return _view(name, await templates.insert_version(tx, name, None, by=by))


async def read_templates(uow: UnitOfWork) -> TemplatesView:
    """Return every template that the policies of the desk name."""
    async with uow.read() as connection:
        own = {one.name: one for one in await templates.newest_versions(connection)}
        names = await _names(connection)
    return TemplatesView(items=[_view(name, own.get(name)) for name in sorted({*names, *own})])


async def read_template(uow: UnitOfWork, name: str) -> TemplateView:
    """Return a template. :raises NotFound: if no policy of the desk has one of that name"""
    async with uow.read() as connection:
        await _require_name(connection, name)
        return _view(name, await templates.newest_version(connection, name))


async def preview_template(uow: UnitOfWork, name: str, request: PreviewRequest) -> PreviewView:
    """Show a template filled in, as it would be sent.

    :raises NotFound: if no policy has a template of that name, or there is no such ticket
    :raises InvalidInput: if the given words have faults
    """
    if request.words is not None:
        _check(request.words)
    async with uow.read() as connection:
        await _require_name(connection, name)
        own = await templates.newest_version(connection, name)
        ticket = policy = None
        if request.ticket_id is not None:
            ticket = await tickets.find_ticket(connection, request.ticket_id)
            if ticket is None:
                raise NotFound(f"there is no ticket {request.ticket_id}")
            policy = await find_policy(connection, policy=ticket.policy, version=ticket.policy_version)
        template = _template(name, [policy] if policy else await _policies(connection, name))
    if request.words is not None:
        own = TemplateVersion(name, 0, request.words.model_dump(mode="json"), uow.now, "preview")
    shown: dict[Language, RenderedView] = {}
    note = None
    for language in ("es", "en"):
        worded = word_message(template, _values(ticket, policy, language), language=language, own=own)
        note = note or worded.note
        shown[language] = RenderedView(
            subject=worded.words.subject,
            body=worded.words.body,
            html=worded.html if worded.html is not None else paragraphs(worded.words.body),
        )
    return PreviewView(name=name, ticket_id=request.ticket_id, es=shown["es"], en=shown["en"], note=note)


def _values(ticket: Ticket | None, policy: Policy | None, language: Language) -> dict[str, str]:
    if ticket is None or policy is None:
        return SAMPLE
    known = {"customer": ticket.customer_name, "contact": ticket.contact_name or ""}
    return SAMPLE | known | ticket_values(ticket, policy, language=language)


def _template(name: str, policies: list[Policy]) -> Template:
    return next((policy.templates[name] for policy in policies if name in policy.templates), PLAIN_STEP)


async def _policies(connection: Connection, name: str) -> list[Policy]:
    known = await templates.policies_with(connection, name)
    found = [await find_policy(connection, policy=policy, version=version) for policy, version in known]
    return [one for one in found if one is not None]


def _check(words: TemplateWords) -> None:
    faults: list[Fault] = []
    for part, texts in words.model_dump().items():
        for language, source in (texts or {}).items():
            faults += check_template(source, pointer=f"/{part}/{language}")
    if faults:
        raise InvalidInput("the template has faults; each is listed under errors", faults=faults)


async def _names(connection: Connection) -> list[str]:
    return [*await templates.policy_template_names(connection), STEP]


async def _require_name(connection: Connection, name: str) -> None:
    names = await _names(connection)
    if name not in names:
        raise NotFound(f"there is no template {name!r}; expected one of {', '.join(sorted(names))}")


def _view(name: str, version: TemplateVersion | None) -> TemplateView:
    words: dict[str, Any] | None = version.words if version else None
    return TemplateView(
        name=name,
        version=version.version if version else None,
        words=OwnTemplateView.model_validate(words) if words else None,
        published_at=version.published_at if version else None,
        published_by=version.published_by if version else None,
        variables=sorted(VARIABLES),
    )
