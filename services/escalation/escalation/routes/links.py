"""Links in messages: looking changes nothing, so that scanners of mail may look; a press of the button acknowledges."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from escalation.domain.links import Link, LinkExpired, LinkInvalid, read_link
from escalation.routes.pages import page
from escalation.schemas.messages import AcknowledgementView
from escalation.usecases import acknowledging
from escalation.usecases.linking import link_key
from plazo.kernel.errors import NotFound, PlazoError
from plazo.runtime.call import runtime_of
from plazo.runtime.problems import STATUS
from plazo.runtime.unit_of_work import UnitOfWork

router = APIRouter(prefix="/v1/acknowledgements", tags=["messages"])

_WORDS = {
    "es": {
        "title": "Acusar recibo",
        "question": "¿Se hace cargo? Con el acuse de recibo terminan las repeticiones de este aviso.",
        "button": "Acusar recibo",
        "done": "Acuse de recibo: {by}, {at} UTC.",
        "nothing": "Este aviso no pide acuse de recibo.",
    },
    "en": {
        "title": "Acknowledge",
        "question": "Are you on it? Acknowledging ends the repetitions of this notice.",
        "button": "Acknowledge",
        "done": "Acknowledged by {by}, {at} UTC.",
        "nothing": "This notice does not ask to be acknowledged.",
    },
}
_REFUSED: dict[type[PlazoError], tuple[str, str]] = {
    LinkInvalid: ("Enlace no válido / Link not valid", "Abra el enlace del mensaje. / Open the link in the message."),
    LinkExpired: ("Enlace caducado / Link expired", "Consulte a la mesa de ayuda. / Please ask the desk."),
    NotFound: ("Enlace no válido / Link not valid", "El mensaje no existe. / There is no such message."),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who follows a link; `token` is checked where the page is answered, so that a refusal is a page too."""

    request: Request
    token: str
    accept: str

    def uow(self, link: Link) -> UnitOfWork:
        """Return the unit of work of the visit; the use case asks the desk for its present."""
        runtime = runtime_of(self.request)
        return runtime.unit_of_work(desk_id=link.desk_id, now=runtime.clock.now())

    def link(self) -> Link:
        """Return the link. :raises LinkInvalid: if it was not made here"""
        return read_link(self.token, key=link_key(runtime_of(self.request).settings))


def allow_link() -> Any:
    """Return the dependency of a route that whoever holds a signed link may call."""

    async def visit(
        request: Request, token: str, accept: Annotated[str, Header(include_in_schema=False)] = ""
    ) -> Visit:
        return Visit(request=request, token=token, accept=accept)

    visit.roles = ("link",)  # type: ignore[attr-defined]  # read where the table of routes and roles is made
    return Depends(visit)


Visitor = Annotated[Visit, allow_link()]


@router.get("/{token}", response_class=HTMLResponse)
async def show_acknowledgement(visit: Visitor) -> Response:
    """Show what is to be acknowledged, with a button. Changes nothing."""
    return await _answer(visit, acknowledging.read_by_link)


@router.post("/{token}", response_class=HTMLResponse)
async def acknowledge(visit: Visitor) -> Response:
    """Acknowledge, once, for the addressee of the message."""
    return await _answer(visit, acknowledging.acknowledge_by_link)


async def _answer(visit: Visit, ask: Callable[[UnitOfWork, Link], Awaitable[AcknowledgementView]]) -> Response:
    is_page = "text/html" in visit.accept
    try:
        link = visit.link()
        view = await ask(visit.uow(link), link)
    except (LinkInvalid, LinkExpired, NotFound) as error:
        if not is_page:
            raise
        title, text = _REFUSED[type(error)]
        return page("notice", status=STATUS[error.kind], language="es", title=title, text=text)
    return _page(view) if is_page else JSONResponse(view.model_dump(mode="json"))


def _page(view: AcknowledgementView) -> Response:
    words = dict(_WORDS["es" if view.language == "es" else "en"])
    if view.acknowledged_at is None:
        words["done"] = words["nothing"]
    else:
        at = f"{view.acknowledged_at:%Y-%m-%d %H:%M}"
        words["done"] = words["done"].format(by=view.acknowledged_by, at=at)
    return page("acknowledge", language=view.language, subject=view.subject, open=view.open, words=words)
