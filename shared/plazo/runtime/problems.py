"""Errors as RFC 9457 problem details: a stable `type`, and all the faults of a request at once."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from plazo.kernel.errors import Fault, Kind, PlazoError
from plazo.runtime.database import OUTAGE
from plazo.runtime.logs import told_path

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:plazo:problem:"

_LONGEST = 1000  # characters of a sentence: it may name what was sent

STATUS: dict[Kind, int] = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.UNAVAILABLE: 503,
    Kind.TOO_LARGE: 413,
    Kind.TOO_MANY: 429,
}


class FaultModel(BaseModel):
    """One thing wrong with the request."""

    model_config = ConfigDict(json_schema_extra={"description": "One thing wrong with the request."})

    pointer: str | None = Field(default=None, description="JSON pointer into the body")
    parameter: str | None = Field(default=None, description="name of the path, query or header parameter")
    message: str
    line: int | None = Field(default=None, description="line of a document, from 1")
    clause: str | None = Field(default=None, description="clause of the contract that asks for it")


class Problem(BaseModel):
    """What went wrong (RFC 9457). Some kinds of problem have members of their own, such as `legal`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="stable name of the kind of problem", examples=["urn:plazo:problem:invalid-input"])
    title: str
    status: int
    detail: str
    instance: str | None = None
    clause: str | None = Field(default=None, description="clause of the contract that ordered the refusal")
    errors: list[FaultModel] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 422, 429, 431, 503)
}


#: A fault of ours, or pydantic's complaint.
AnyFault = Fault | FaultModel | dict[str, Any]


def problem_response(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    clause: str | None = None,
    errors: Sequence[AnyFault] = (),
    headers: dict[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a problem as a response."""
    problem = Problem(
        **(details or {}),
        type=TYPE_PREFIX + code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail[:_LONGEST],
        instance=getattr(request.state, "request_id", None),
        clause=clause,
        errors=listed(errors),
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


def listed(faults: Sequence[AnyFault], *, most: int = 100) -> list[FaultModel] | None:
    """Return faults as a problem lists them: the first ones, shortened, and of the rest how many there are."""
    shown = [_shown(fault) for fault in faults[:most]]
    if len(faults) > most:
        shown.append(FaultModel(pointer="", message=f"and {len(faults) - most} more faults"))
    return shown or None


def _shown(fault: AnyFault) -> FaultModel:
    if isinstance(fault, dict):
        fault = validation_fault(fault)
    return FaultModel(
        pointer=None if fault.pointer is None else fault.pointer[:_LONGEST],
        parameter=fault.parameter and fault.parameter[:_LONGEST] if isinstance(fault, FaultModel) else None,
        message=fault.message[:_LONGEST],
        line=fault.line,
        clause=fault.clause,
    )


def _escape(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def validation_fault(error: dict[str, Any]) -> FaultModel:
    """Return pydantic's complaint without the input it complains of: that may be secret, or no JSON."""
    where, *path = error["loc"] or ("body",)
    message = str(error["msg"]).removeprefix("Value error, ")
    if where == "body":
        # A union's branch names stand in the path; they are no part of the caller's document.
        return FaultModel(pointer="".join(f"/{_escape(part)}" for part in path), message=message)
    return FaultModel(parameter=".".join(str(part) for part in path), message=message)


def _on_plazo_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlazoError)
    headers = {"WWW-Authenticate": "Bearer"} if error.kind is Kind.UNAUTHENTICATED else {}
    if error.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY):
        headers["Retry-After"] = str(error.details.get("retry_after_seconds", 1))
    return problem_response(
        request,
        status=STATUS[error.kind],
        code=error.code,
        detail=error.message,
        clause=error.clause,
        errors=error.faults,
        headers=headers,
        details=error.details,
    )


def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem_response(request, status=400, code="unparsable-json", detail="the body is not JSON")
    return problem_response(
        request,
        status=422,
        code="invalid-input",
        detail="the request has faults; each is listed under errors",
        errors=faults,
    )


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error.__cause__, PlazoError):  # while the body was read, which FastAPI takes for a fault of the body
        return _on_plazo_error(request, error.__cause__)
    if isinstance(error.__cause__, OUTAGE):
        return _on_outage(request, error.__cause__)
    codes = {
        400: "bad-request",
        401: "unauthenticated",
        404: "no-such-path",
        405: "method-not-allowed",
        408: "body-too-slow",
        413: "body-too-large",
    }
    details = {
        404: f"there is no {request.url.path} here",
        408: "the body did not come in the time there is for it; the request had no effect",
        413: "the body is larger than this service accepts",
    }
    return problem_response(
        request,
        status=error.status_code,
        code=codes.get(error.status_code, "http-error"),
        detail=details.get(error.status_code, str(error.detail)),
        headers=dict(error.headers) if error.headers else None,
    )


def too_large(request: Request) -> JSONResponse:
    """Return the answer to a body beyond the limit."""
    return _on_http_exception(request, StarletteHTTPException(413))


def head_too_large(request: Request, *, status: int, detail: str) -> JSONResponse:
    """Return the answer to an address (414) or headers (431) beyond the limit."""
    return problem_response(request, status=status, code="head-too-large", detail=detail)


def compressed(request: Request) -> JSONResponse:
    """Return the answer to a body that is compressed."""
    return problem_response(
        request, status=415, code="compressed-body", detail="a body is taken as it is, without a Content-Encoding"
    )


def refused_too_often(request: Request, *, seconds: int) -> JSONResponse:
    """Return the answer to an address that came too often without a key that is right."""
    return problem_response(
        request,
        status=429,
        code="refused-too-often",
        detail=f"too many requests from this address without a valid key; come back in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


def too_busy(request: Request) -> JSONResponse:
    """Return the answer to a request that comes while too many are being answered."""
    return problem_response(
        request,
        status=503,
        code="too-busy",
        detail="this process answers as many requests as it may at once, in all or from one address; the request had "
        "no effect",
        headers={"Retry-After": "1"},
    )


def _on_outage(request: Request, error: Exception) -> JSONResponse:
    log.warning("database_away", error=str(error) or type(error).__name__)
    return problem_response(
        request,
        status=503,
        code="temporarily-unavailable",
        detail="the database cannot answer now; the request had no effect or may be repeated with the same "
        "Idempotency-Key",
        headers={"Retry-After": "1"},
    )


def _on_rejected_value(request: Request, error: Exception) -> JSONResponse:
    """PostgreSQL refuses a value that the schema let pass, such as a number beyond bigint."""
    log.warning("database_refused_value", error=str(error))
    has_nul = isinstance(error, asyncpg.UntranslatableCharacterError | asyncpg.CharacterNotInRepertoireError)
    detail = "a text has the character U+0000, which is not kept" if has_nul else "a value is out of range"
    return problem_response(request, status=422, code="invalid-input", detail=detail)


def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected_error", path=told_path(request.url.path), exc_info=error)
    return problem_response(
        request, status=500, code="internal-error", detail="something unexpected went wrong; nothing was changed"
    )


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    app.add_exception_handler(PlazoError, _on_plazo_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(StarletteHTTPException, _on_http_exception)
    for kind in OUTAGE:
        app.add_exception_handler(kind, _on_outage)
    app.add_exception_handler(asyncpg.DataError, _on_rejected_value)
    app.add_exception_handler(Exception, _on_bug)
