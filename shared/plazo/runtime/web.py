"""The HTTP side of a service: the app, its error answers, and what every service answers beside its own routes."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plazo.kernel.ids import new_id
from plazo.runtime import audit, dead_letters, metrics, problems
from plazo.runtime.call import allow_anybody, runtime_of
from plazo.runtime.clock import Clock
from plazo.runtime.database import OUTAGE
from plazo.runtime.headers import SecurityHeaders, documentation_policy
from plazo.runtime.idempotency import Replayed
from plazo.runtime.service import Runtime, Service
from plazo.runtime.settings import Settings

log = structlog.get_logger(__name__)

_LONGEST_LENGTH = 18  # digits; more are no length but an attack
_LONGEST_ADDRESS = 8192  # bytes of path and query
_LARGEST_HEADERS = 32_768  # bytes of names and values
_QUIET = ("/healthz", "/readyz", "/metrics")

health = APIRouter(
    tags=["operations"], dependencies=[allow_anybody("for probes and metrics; nothing of any desk is in the answer")]
)


@health.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}


@health.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Say whether the service can do its work.

    503 without the database. Without NATS it still answers and keeps what it has to announce: `degraded`.
    """
    runtime = runtime_of(request)
    try:
        lag, backlog = await runtime.relay.lag()
    except OUTAGE as error:
        checks: dict[str, Any] = {"database": str(error) or type(error).__name__, "bus": runtime.bus.is_connected}
        return JSONResponse({"status": "unavailable", "checks": checks}, status_code=503)
    connected = runtime.bus.is_connected
    checks = {
        "database": "ok",
        "bus": "ok" if connected else "away",
        "relay_lag_seconds": lag,
        "relay_backlog": backlog,
    }
    return JSONResponse({"status": "ready" if connected else "degraded", "checks": checks})


@health.get("/metrics", include_in_schema=False)
async def prometheus() -> Response:
    """Return the metrics of this process in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


#: What every service answers beside its own routes.
ROUTERS = (dead_letters.router, audit.router, health)


class BodyLimit:
    """Refuses a body of more than `max_bytes`: at once where its length is declared, else as it is read.

    `others` are the limits of paths that have another one, by regular expression.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, others: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._others = tuple((re.compile(pattern), limit) for pattern, limit in others.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        max_bytes = next((limit for pattern, limit in self._others if pattern.fullmatch(path)), self._max_bytes)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and (len(declared) > _LONGEST_LENGTH or int(declared) > max_bytes):
            await problems.too_large(Request(scope))(scope, receive, send)
            return
        size = 0

        async def receive_within_limit() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > max_bytes:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_within_limit, send)


class Gate:
    """Refuses what is too much before anything is done: long addresses, large headers, too many requests at once.

    The probes of operations are let in always.
    """

    def __init__(self, app: ASGIApp, *, at_once: int) -> None:
        self._app = app
        self._at_once = at_once
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    def _refusal(self, scope: Scope) -> Response | None:
        request = Request(scope)
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _LONGEST_ADDRESS:
            detail = f"the address has more than {_LONGEST_ADDRESS} bytes"
            return problems.head_too_large(request, status=414, detail=detail)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LARGEST_HEADERS:
            detail = f"the headers have more than {_LARGEST_HEADERS} bytes"
            return problems.head_too_large(request, status=431, detail=detail)
        return problems.too_busy(request) if self._inside >= self._at_once else None


class RequestContext:
    """Gives each request an id, a line in the log and a place in the metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unmatched")
                metrics.HTTP_SECONDS.labels(scope["method"], route, str(status)).observe(seconds)
                if scope["path"] not in _QUIET:
                    log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        milliseconds=round(seconds * 1000, 1),
                    )


def _on_replayed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Replayed)
    return JSONResponse(error.answer, status_code=error.status, headers={"Idempotency-Replayed": "true"})


def _add_documentation(app: FastAPI) -> None:
    """Serve the API's documentation from this process: it must work where nothing else can be reached."""
    app.mount("/docs/static", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-static")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="docs/static/swagger-ui-bundle.js",
            swagger_css_url="docs/static/swagger-ui.css",
            swagger_favicon_url="docs/static/favicon-32x32.png",
        )
        page.headers["Content-Security-Policy"] = documentation_policy(bytes(page.body).decode())
        return page


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with problems as the shape of every error and the key as the way in."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "an API key of a desk: `plz_…`"}
        }
        document["security"] = [{"key": []}]
        app.openapi_schema = document
    return app.openapi_schema


def create_app(service: Service, *, settings: Settings | None = None, clock: Clock | None = None) -> FastAPI:
    """Return the ASGI app of a service; its relay, consumers and timers run while the app does."""
    settings = settings or Settings()  # filled from the environment

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Runtime.running(service, settings, clock=clock) as runtime:
            app.state.runtime = runtime
            yield

    app = FastAPI(
        title=f"Plazo: {service.title}",
        description=service.description,
        version=version("plazo"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
        telemetry={"operation_spans": False},
        generate_unique_id_function=lambda route: route.name,
    )
    for router in (*service.routers, *ROUTERS):
        app.include_router(router)
    _add_documentation(app)
    problems.install(app)
    app.add_exception_handler(Replayed, _on_replayed)
    app.add_middleware(BodyLimit, max_bytes=service.max_body_bytes, others=service.body_limits)
    app.add_middleware(Gate, at_once=settings.concurrent_requests)
    app.add_middleware(SecurityHeaders, hsts_seconds=settings.hsts_seconds)
    app.add_middleware(RequestContext)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app
