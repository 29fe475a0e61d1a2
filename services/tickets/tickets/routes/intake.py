"""Where requests come in that are not written for this API: e-mail, and the posts of other systems."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from plazo.kernel.errors import InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.foreign_json import read_foreign_json
from plazo.runtime.call import Call, allow, allow_signed
from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from plazo.runtime.service import Runtime
from plazo.runtime.signatures import verify
from tickets.domain.email import parse_mail
from tickets.repository import hooks as hook_repository
from tickets.repository import intake as repository
from tickets.routes.callers import StaffCall, by_of
from tickets.schemas.intake import AddressCreate, AddressView, IntakeView, MailView, PostView, WholeMailView
from tickets.usecases import addresses, mail, webhook_intake
from tickets.usecases.attaching import store_files
from tickets.usecases.hooks import NoSuchHook, valid_secrets
from tickets.usecases.mail_request import Post
from tickets.usecases.secrets import cipher_of, known_cipher

MAIL_PATH = "/v1/intake/email"
LARGEST_MAIL = 40_000_000

router = APIRouter(prefix="/v1/intake", tags=["intake"])

MailCall = Annotated[Call, allow(Role.INTEGRATION, Role.AGENT, Role.MANAGER, Role.ADMINISTRATOR, reads_body=False)]
ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


class MailTooLarge(PlazoError):
    """The mail is larger than this installation takes."""

    kind = Kind.TOO_LARGE
    code = "mail-too-large"


class WrongMediaType(PlazoError):
    """The body is not declared as a mail."""

    kind = Kind.INVALID
    code = "wrong-media-type"


@router.post("/email")
async def take_email(request: Request, call: MailCall) -> IntakeView:
    """Take a mail in: the body is the raw message (RFC 5322), its type `message/rfc822`.

    Becomes a ticket, something said about one, or is kept in quarantine; a repetition is answered as the first was.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "message/rfc822":
        raise WrongMediaType("expected the Content-Type message/rfc822 and the raw message as the body")
    raw = await request.body()
    largest = call.runtime.settings.mail_max_bytes
    if len(raw) > largest:
        raise MailTooLarge(f"the mail has {len(raw)} bytes; at most {largest} are taken")
    call = call.of_body(hashlib.sha256(raw).hexdigest())
    parsed = await run_in_threadpool(parse_mail, raw)
    files = await store_files(call.runtime, desk_id=call.desk_id, files=parsed.attachments)
    post = Post(mail=parsed, recipients=parsed.recipients, files=files, cipher=known_cipher(call.runtime))
    view = await mail.take_mail(call.uow(), post=post, actor=by_of(call).actor)
    if view.ticket_id is not None:
        await call.settle(view.ticket_id)
    return view


@router.get("/emails")
async def list_emails(
    call: StaffCall,
    ticket: UUID | None = None,
    outcome: str | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[MailView]:
    """List mail that came in or went out, oldest first, with what became of it."""
    async with call.uow().read() as connection:
        rows = await repository.list_mail(
            connection, after=position(cursor, datetime, UUID), ticket_id=ticket, outcome=outcome, limit=limit + 1
        )
    return page_of([MailView(**row) for row in rows], limit=limit, keys=lambda one: (one.received_at, one.mail_id))


@router.get("/emails/{mail_id}")
async def read_email(mail_id: UUID, call: StaffCall) -> WholeMailView:
    """Return a mail with all of its text."""
    async with call.uow().read() as connection:
        row = await repository.read_mail(connection, mail_id)
    if row is None:
        raise NotFound(f"there is no mail {mail_id}")
    return WholeMailView(**row)


@router.post("/addresses", status_code=201)
async def add_address(body: AddressCreate, call: ManagerCall) -> AddressView:
    """Give a mail address to this desk: the SMTP listener takes mail for it."""
    return await addresses.add_address(call.uow(status=201), body=body)


@router.get("/addresses")
async def list_addresses(call: StaffCall, limit: Limit = 50, cursor: str | None = None) -> Page[AddressView]:
    """List the mail addresses of this desk."""
    after = position(cursor, str)
    async with call.uow().read() as connection:
        rows = await repository.list_addresses(connection, after=after[0] if after else None, limit=limit + 1)
    views = [AddressView(address=row.address, contract_id=row.contract_id, created_at=row.created_at) for row in rows]
    return page_of(views, limit=limit, keys=lambda one: (one.address,))


@router.delete("/addresses/{address}", status_code=204)
async def remove_address(address: str, call: ManagerCall) -> None:
    """Take a mail address from this desk."""
    await addresses.remove_address(call.uow(), address=address)


@router.post("/webhooks/{hook_id}")
async def take_webhook(
    hook_id: UUID, request: Request, response: Response, runtime: Annotated[Runtime, allow_signed()]
) -> PostView:
    """Take a post of another system, signed with the secret of the hook; no API key.

    202 if all of it was kept in quarantine.
    """
    found = await hook_repository.look_up_hook(runtime.database.system, hook_id)
    if found is None or found[0].disabled_at is not None:
        raise NoSuchHook(f"there is no hook {hook_id}, or it is disabled")
    hook, clock_at = found
    body = await request.body()
    clock_now, cipher = runtime.clock.now(), cipher_of(runtime)
    delivery = verify(
        hook.scheme,  # type: ignore[arg-type]  # one of the schemes: nothing else is written
        {name.lower(): value for name, value in request.headers.items()},
        body,
        valid_secrets=valid_secrets(hook, cipher=cipher, clock_now=clock_now),
        now=clock_now,
        tolerance=timedelta(seconds=hook.tolerance_seconds),
    )
    uow = runtime.unit_of_work(desk_id=hook.desk_id, now=clock_at or clock_now)
    view = await webhook_intake.take_post(uow, hook=hook, delivery=delivery, payload=_json(body), cipher=cipher)
    if view.items and all(item.outcome == "kept" for item in view.items):
        response.status_code = 202
    return view


def _json(body: bytes) -> Any:
    """Read a signed body. :raises InvalidInput: if it is no JSON, or nested beyond all use"""
    try:
        return read_foreign_json(body)
    except ValueError as error:
        raise InvalidInput(f"the body is signed, but it is not JSON that can be read: {error}") from error
