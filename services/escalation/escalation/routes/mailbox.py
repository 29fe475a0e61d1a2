"""The mailbox as a page: what everybody was told, for whoever has a key of the desk.

The key is typed into a form and kept in a cookie that scripts cannot read, other sites cannot send, and no other path
gets.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Cookie, Depends, Form, Header, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from escalation.routes.pages import HEADERS, page
from escalation.usecases import reading
from escalation.usecases.linking import acknowledge_path
from plazo.kernel.errors import NotFound
from plazo.runtime.call import allow_anybody, runtime_of
from plazo.runtime.identity import STAFF, Principal, Unauthenticated
from plazo.runtime.parameters import check_query
from plazo.runtime.unit_of_work import UnitOfWork

router = APIRouter(prefix="/v1/mailbox", tags=["messages"])

_COOKIE = "plazo_mailbox"
_PATH = "/v1/mailbox"
_SHOWN = 50
_LONGEST_KEY = 200


def allow_reader() -> Any:
    """Return the dependency of a page that staff may see, by `Authorization` or by the cookie; else it is None."""

    async def reader(
        request: Request,
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
        plazo_mailbox: Annotated[str | None, Cookie(include_in_schema=False)] = None,
    ) -> Principal | None:
        check_query(request)
        return await _reader_of(request, authorization or (f"Bearer {plazo_mailbox}" if plazo_mailbox else None))

    reader.roles = STAFF  # type: ignore[attr-defined]
    return Depends(reader)


async def _reader_of(request: Request, authorization: str | None) -> Principal | None:
    runtime = runtime_of(request)
    try:
        principal = await runtime.admit(authorization, now=runtime.clock.now())
    except Unauthenticated:
        return None
    may_read = principal.role in STAFF and principal.has_scope(runtime.service.name, "read")
    return principal if may_read else None


Reader = Annotated[Principal | None, allow_reader()]


Accept = Annotated[str, Header(include_in_schema=False)]


def _ask_for_key(accept: str, *, complaint: str | None = None) -> Response:
    """Return the form for a key. :raises Unauthenticated: where no page is asked for"""
    if "text/html" not in accept:
        raise Unauthenticated(complaint or "expected a key of the desk that may read here")
    return page("login", status=401, complaint=complaint)


@router.get("", response_class=HTMLResponse)
async def show_mailbox(
    request: Request,
    reader: Reader,
    accept: Accept = "",
    to: Annotated[str | None, Query(max_length=254)] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> Response:
    """Show the messages of the desk, newest first, or ask for a key."""
    if reader is None:
        return _ask_for_key(accept)
    messages, older = await reading.read_newest_messages(_uow(request, reader), to=to, before=before, limit=_SHOWN)
    return page("mailbox", messages=messages, older=older, to=to)


@router.post(
    "",
    status_code=303,
    response_class=HTMLResponse,
    dependencies=[allow_anybody("the key is in the form; a wrong one shows nothing")],
)
async def open_mailbox(
    request: Request, key: Annotated[str, Form(max_length=_LONGEST_KEY)], accept: Accept = ""
) -> Response:
    """Take a key of the desk, and show its mailbox."""
    token = key.strip()
    if await _reader_of(request, f"Bearer {token}") is None:
        return _ask_for_key(accept, complaint="That is no key of somebody who may read here.")
    response = RedirectResponse(_PATH, status_code=303, headers=HEADERS)
    response.set_cookie(_COOKIE, token, path=_PATH, httponly=True, samesite="strict", secure=_is_encrypted(request))
    return response


@router.post(
    "/closings",
    status_code=303,
    response_class=RedirectResponse,
    dependencies=[allow_anybody("forgets the caller's own cookie, and no more")],
)
async def leave_mailbox(request: Request) -> Response:
    """Forget the key."""
    response = RedirectResponse(_PATH, status_code=303, headers=HEADERS)
    response.delete_cookie(_COOKIE, path=_PATH, httponly=True, samesite="strict", secure=_is_encrypted(request))
    return response


@router.get("/{message_id}", response_class=HTMLResponse)
async def show_message(request: Request, reader: Reader, message_id: UUID, accept: Accept = "") -> Response:
    """Show a message, or ask for a key."""
    if reader is None:
        return _ask_for_key(accept)
    try:
        message = await reading.read_message(_uow(request, reader), message_id)
    except NotFound as error:
        if "text/html" not in accept:
            raise
        return page("notice", status=404, title="Mailbox", text=error.message)
    path = acknowledge_path(
        runtime_of(request).settings,
        desk_id=reader.desk_id,
        message_id=message.message_id,
        queued_at=message.queued_at,
        role=message.role,
        event=message.event,
        escalation_id=message.escalation_id,
    )
    captured = reader.sandbox or runtime_of(request).settings.smtp_url is None
    may_acknowledge = reader.has_scope(runtime_of(request).service.name, "write")
    shown = path if captured and may_acknowledge else None
    return page("message", one=message.model_copy(update={"acknowledge_path": shown}))


def _uow(request: Request, reader: Principal) -> UnitOfWork:
    runtime = runtime_of(request)
    return runtime.unit_of_work(desk_id=reader.desk_id, now=reader.clock_at or runtime.clock.now())


def _is_encrypted(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
