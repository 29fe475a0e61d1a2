"""The HTTP side of a service: the app, its error answers, and what every service answers beside its own routes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plazo.kernel.ids import new_id
from plazo.runtime import audit, dead_letters, metrics, problems
from plazo.runtime.call import allow_anybody, runtime_of
from plazo.runtime.clock import Clock
from plazo.runtime.database import OUTAGE
from plazo.runtime.discretion import Discretion
from plazo.runtime.gate import QUIET, BodyLimit, Gate, caller_address
from plazo.runtime.headers import SecurityHeaders, documentation_policy
from plazo.runtime.idempotency import Replayed
from plazo.runtime.identity import Principal
from plazo.runtime.links import add_links
from plazo.runtime.logs import told_path
from plazo.runtime.service import Runtime, Service
from plazo.runtime.settings import Settings

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

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

    503 without the database: another replica may reach it. Without NATS, while another service is away, or while it
    catches up with events that no stream brought, it still answers and keeps what it has to announce: 200 and
    `degraded`, for every replica is in the same case. So too where a service has forgotten what this one has taken in:
    then databases are not of one moment.
    """
    runtime = runtime_of(request)
    try:
        lag, backlog = await runtime.relay.lag()
    except OUTAGE as error:
        bus = "ok" if runtime.bus.is_connected else "away"
        checks: dict[str, Any] = {"database": "away", "reason": type(error).__name__, "bus": bus}
        return JSONResponse({"status": "unavailable", "checks": checks}, status_code=503)
    connected = runtime.bus.is_connected
    away = await runtime.settlement.away() if connected else ()
    missed = {name: consumer.missed for name, consumer in runtime.consumers.items()}
    catching_up = {name: one.fetched for name, one in missed.items() if one.fetched}
    forgotten = {name: one.forgotten for name, one in missed.items() if one.forgotten}
    checks = {
        "database": "ok",
        "bus": "ok" if connected else "away",
        "services_away": list(away),
        "catching_up": catching_up,
        "forgotten": forgotten,
        "relay_lag_seconds": lag,
        "relay_backlog": backlog,
    }
    is_ready = connected and not (away or catching_up or forgotten)
    return JSONResponse({"status": "ready" if is_ready else "degraded", "checks": checks})


@health.get("/metrics", include_in_schema=False)
async def prometheus() -> Response:
    """Return the metrics of this process in Prometheus' text format.

    The gateway shows them to its own machine alone.
    """
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


#: What every service answers beside its own routes.
ROUTERS = (dead_letters.router, audit.router, health)


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
                if _is_leaving(scope):
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if scope["method"] in _METHODS else "other"  # a name for each costs memory
                metrics.HTTP_SECONDS.labels(method, route, str(status)).observe(seconds)
                if scope["path"] not in QUIET:
                    caller: Principal | None = scope["state"].get("principal")
                    log.info(
                        "request",
                        method=scope["method"],
                        path=told_path(scope["path"]),
                        status=status,
                        address=caller_address(scope),
                        **({} if caller is None else {"desk": str(caller.desk_id), "key": caller.key_id}),
                        milliseconds=round(seconds * 1000, 1),
                    )


def _is_leaving(scope: Scope) -> bool:
    runtime: Runtime | None = getattr(scope["app"].state, "runtime", None)
    return runtime is not None and runtime.leaving.is_set()


def _on_replayed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Replayed)
    return JSONResponse(error.answer, status_code=error.status, headers={"Idempotency-Replayed": "true"})


class _Document:
    """The OpenAPI document as it is sent. Making it takes a second, once, in a thread: no other request waits."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._making: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        """Return the document, made for who asks first; who goes away meanwhile does not end it for the others."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make))
        return await asyncio.shield(self._making)

    def _make(self) -> bytes:
        return bytes(JSONResponse(self._app.openapi()).body)


def _add_documentation(app: FastAPI) -> None:
    """Serve the API's documentation from this process: it must work where nothing else can be reached."""
    app.mount("/docs/static", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-static")
    document = _Document(app)

    @app.api_route("/openapi.json", methods=["GET", "HEAD"], include_in_schema=False)
    async def openapi() -> Response:
        return Response(await document.read(), media_type="application/json")

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
    """Return the OpenAPI document, with problems as the shape of errors, the key as the way in, and links."""
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
        add_links(document)
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
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send people past the gateway's prefix
        responses=problems.RESPONSES,
        telemetry={"operation_spans": False},
        generate_unique_id_function=lambda route: route.name,
    )
    for router in (*service.routers, *ROUTERS):
        app.include_router(router)
    _add_documentation(app)
    problems.install(app)
    app.add_exception_handler(Replayed, _on_replayed)
    app.add_middleware(Discretion)
    app.add_middleware(BodyLimit, max_bytes=service.max_body_bytes, others=service.body_limits)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(SecurityHeaders, hsts_seconds=settings.hsts_seconds)
    app.add_middleware(RequestContext)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app
