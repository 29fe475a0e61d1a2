"""A desk's own words for the messages of its policies."""

from typing import Annotated

from fastapi import APIRouter, Path

from escalation.schemas.templates import PreviewRequest, PreviewView, TemplatesView, TemplateView, TemplateWords
from escalation.usecases import templates
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role

router = APIRouter(prefix="/v1/templates", tags=["templates"])

Staff = Annotated[Call, allow(*STAFF)]
Lead = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
TemplateName = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]


@router.get("")
async def list_templates(call: Staff) -> TemplatesView:
    """List the templates that the policies name, and the desk's own words for them."""
    return await templates.read_templates(call.uow())


@router.get("/{name}")
async def read_template(call: Staff, name: TemplateName) -> TemplateView:
    """Read a template."""
    return await templates.read_template(call.uow(), name)


@router.put("/{name}")
async def publish_template(call: Lead, name: TemplateName, body: TemplateWords) -> TemplateView:
    """Publish the desk's own words for a template; every fault is told with its line."""
    return await templates.publish_template(call.uow(), name, body, by=call.principal.label)


@router.delete("/{name}")
async def withdraw_template(call: Lead, name: TemplateName) -> TemplateView:
    """Give a template back to the policies."""
    return await templates.withdraw_template(call.uow(), name, by=call.principal.label)


@router.post("/{name}/preview")
async def preview_template(call: Staff, name: TemplateName, body: PreviewRequest | None = None) -> PreviewView:
    """Show a template filled in, from a ticket or with samples: words not published yet, or those in force."""
    return await templates.preview_template(call.uow(), name, body or PreviewRequest())
