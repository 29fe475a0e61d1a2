"""Files of a ticket."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from plazo.kernel.errors import Fault, InvalidInput
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.domain.attachments import FileTooLarge
from tickets.repository.objects import Stored
from tickets.routes.callers import AnyCall, by_of
from tickets.schemas.dossier import AttachmentView
from tickets.usecases import attachments, secrets

router = APIRouter(prefix="/v1", tags=["attachments"])

UPLOAD_PATH = r"/v1/tickets/[^/]+/attachments"
LARGEST_UPLOAD = 260_000_000  # more than the settings may allow a file; these are checked as it streams

# A quoted value may have anything in it, a semicolon too.
_PARAMETER = re.compile(r""";\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;"]*)""")

_FORM_BYTES = 64 * 1024  # the envelope of a form around a file

StreamedCall = Annotated[Call, allow(*EVERYBODY, reads_body=False)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM: dict[str, Any] = {
    "schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY["schema"]}},
}


@router.post(
    "/tickets/{ticket_id}/attachments",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": _FORM, "application/octet-stream": _BINARY},
        }
    },
)
async def add_attachment(
    ticket_id: UUID,
    call: StreamedCall,
    internal: bool = False,  # noqa: FBT001, FBT002  # a query parameter
    name: Annotated[str | None, Query(max_length=1000, description="its name, where the body is the file")] = None,
) -> AttachmentView:
    """Attach a file: as the part `file` of a form, or as the whole body, named by `Content-Disposition` or `name`."""
    files = attachments.files_of(call.runtime)
    await attachments.require_recipient(call.uow(), ticket_id=ticket_id, by=by_of(call))
    declared = call.request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:18]) > files.limits.file_bytes + _FORM_BYTES:
        raise FileTooLarge(f"the file is larger than {files.limits.file_bytes} bytes")
    async with _Upload(call.request, name=name) as upload:
        stored: Stored = await attachments.store(
            files, desk_id=call.desk_id, name=upload.name, declared_type=upload.type, chunks=upload.chunks
        )
    call = call.of_body(f"{stored.name} {stored.sha256} {internal}")
    view = await attachments.add_attachment(
        call.uow(status=201),
        ticket_id=ticket_id,
        stored=stored,
        by=by_of(call),
        internal=internal,
        limits=files.limits,
        contact_id=call.principal.contact_id,
        cipher=secrets.known_cipher(call.runtime),
    )
    call.response.headers["Location"] = f"/v1/attachments/{view.attachment_id}/content"
    return view


@router.get("/tickets/{ticket_id}/attachments")
async def list_attachments(
    ticket_id: UUID, call: AnyCall, limit: Limit = 50, cursor: str | None = None
) -> Page[AttachmentView]:
    """List the files of a ticket, oldest first; the customer sees no internal ones."""
    found = await attachments.list_attachments(
        call.uow(),
        ticket_id=ticket_id,
        customer_id=call.principal.customer_id,
        after=position(cursor, datetime, UUID),
        limit=limit + 1,
    )
    return page_of(found, limit=limit, keys=lambda one: (one.added_at, one.attachment_id))


@router.get(
    "/attachments/{attachment_id}/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": _BINARY}}},
)
async def read_content(attachment_id: UUID, call: AnyCall) -> StreamingResponse:
    """Return the content of a file, always as something to be saved, never to be shown: its type may lie."""
    content = await attachments.read_content(
        call.uow(),
        attachments.files_of(call.runtime),
        attachment_id=attachment_id,
        customer_id=call.principal.customer_id,
    )
    found = content.attachment
    return StreamingResponse(
        content.chunks,
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(found.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
            "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(found.sha256)).decode()}:",
            "ETag": f'"{found.sha256}"',
        },
    )


class _Upload:
    """The file in a request: a part of a form, which is spooled to the disk, or the body itself, which is streamed."""

    def __init__(self, request: Request, *, name: str | None) -> None:
        self._request = request
        self._form: FormData | None = None
        self.name = name
        self.type: str | None = request.headers.get("content-type")
        self.chunks: AsyncIterator[bytes] = request.stream()

    async def __aenter__(self) -> Self:
        if (self.type or "").lower().startswith("multipart/form-data"):
            await self._read_form()
        elif self.name is None:
            self.name = _name_in(self._request.headers.get("content-disposition", ""))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._form is not None:
            await self._form.close()

    async def _read_form(self) -> None:
        try:
            self._form = await self._request.form(max_files=1, max_fields=10)
        except (MultiPartException, MultipartParseError) as error:
            raise InvalidInput(f"the form cannot be read: {error}") from error
        file = self._form.get("file")
        if not isinstance(file, UploadFile):
            fault = Fault(pointer="/file", message="expected a part named file with a file name")
            raise InvalidInput("the form has no file", faults=[fault])
        self.name, self.type, self.chunks = self.name or file.filename, file.content_type, _parts(file)


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(64 * 1024):
        yield part


def _name_in(disposition: str) -> str | None:
    """Return the file name of a `Content-Disposition` header (RFC 6266)."""
    found = {name.lower(): _unquoted(value) for name, value in _PARAMETER.findall(disposition)}
    if extended := found.get("filename*"):
        return unquote(extended.rpartition("'")[2])
    return found.get("filename")


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'))
    return value.strip()
