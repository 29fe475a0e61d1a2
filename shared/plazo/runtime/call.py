"""A request as a use case sees it: who asks, when, and the unit of work to answer in."""

import asyncio
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response

from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.runtime.acts import OPERATOR, Act, Actor
from plazo.runtime.idempotency import MAX_LENGTH, IdempotencyClaim, request_hash
from plazo.runtime.identity import Forbidden, Principal, Role, Unauthenticated
from plazo.runtime.parameters import check_query
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Cause, Check, Claim, UnitOfWork

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})\b")
_LONGEST_WAIT_SECONDS = 30
_READING = ("GET", "HEAD", "OPTIONS")


class StaleVersion(PlazoError):
    """The thing changed since the caller read it."""

    kind = Kind.STALE
    code = "stale-version"


def runtime_of(request: Request) -> Runtime:
    """Return the running service that received a request."""
    runtime: Runtime = request.app.state.runtime
    return runtime


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request. `now` is the present of the caller's desk.

    `is_recorded` says that its effect is an administrative act; `reads_body` that its body is at hand. `check` looks,
    just before its effect is committed, whether it was begun with what still holds.
    """

    principal: Principal
    now: datetime
    runtime: Runtime
    request: Request
    response: Response
    idempotency_key: str | None
    idempotency_hash: str
    wait_seconds: int
    is_recorded: bool = False
    reads_body: bool = True
    check: Check | None = None

    @property
    def desk_id(self) -> UUID:
        """The desk of the caller, and so of everything it can see."""
        return self.principal.desk_id

    def uow(self, *, status: int = 200) -> UnitOfWork:
        """Return the unit of work of this request; under an Idempotency-Key it takes effect once.

        `status` is what a repetition is answered with, beside the answer the use case leaves in the transaction.
        """
        claim: Claim | None = None
        if self.idempotency_key is not None:
            claim = IdempotencyClaim(
                caller=self.principal.key_id,
                key=self.idempotency_key,
                request_hash=self.idempotency_hash,
                status=status,
            )
        if self.is_recorded:
            who = self.principal
            by = Actor(role=who.role, label=who.label, key_id=who.key_id)
            claim = Act(self.request, by=by, reads_body=self.reads_body, claim=claim)
        return self.runtime.unit_of_work(
            desk_id=self.desk_id,
            now=self.now,
            cause=Cause(traceparent=self.request.headers.get("traceparent")),
            claim=claim,
            check=self.check,
        )

    def hold_stream(self) -> None:
        """Count this request as an open stream until it is over. :raises TooManyRequests: if there are enough"""
        self.request.state.leaving.append(self.runtime.limits.hold_stream(self.principal))

    async def settle(self, *about: UUID) -> bool:
        """Honor `Prefer: wait=N`: wait until the change about some aggregates has settled everywhere.

        Returns false at once if the caller has no such preference. What could be honored is said in the header
        `Preference-Applied`.
        """
        if self.wait_seconds == 0:
            return False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.wait_seconds
        for one in about:
            left = deadline - loop.time()
            if not await self.runtime.settlement.wait(desk_id=self.desk_id, about=one, seconds=left):
                return False
        self.response.headers["Preference-Applied"] = f"wait={self.wait_seconds}"
        return True

    def of_body(self, digest: str) -> "Call":
        """Return this call for a body with that digest: a repetition under the same Idempotency-Key has it too."""
        method, path = self.request.method, str(self.request.url.path)
        return replace(self, idempotency_hash=request_hash(method=method, path=path, body=digest.encode()))

    def show_version(self, version: int) -> None:
        """Send the version as `ETag`."""
        self.response.headers["ETag"] = etag(version)


def check_version(if_match: str | None, version: int) -> None:
    """Honor `If-Match`. :raises StaleVersion: if the caller read another version than `version`"""
    if if_match is not None and if_match.strip() not in ("*", etag(version)):
        raise StaleVersion(f"you changed version {if_match.strip()}, the current one is {etag(version)}; read it again")


def etag(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def allow(*roles: Role, reads_body: bool = True, recorded: bool | None = None) -> Any:
    """Return the dependency of a route that `roles` may call; it gives the route its :class:`Call`.

    Without `reads_body` the body is left to the route, which streams it and then says by :meth:`Call.of_body` what it
    was.

    A change by a route that neither requesters nor agents may call is an administrative act, and recorded as one;
    `recorded` says otherwise: for what machines do all day, or for what agents do that is to be answered for.
    """
    is_act = not {Role.REQUESTER, Role.AGENT} & set(roles) if recorded is None else recorded

    async def admit(request: Request) -> Principal:
        """Let the caller in, once: before its body is read, see :class:`plazo.runtime.gate.BodyLimit`."""
        state, runtime = request.state, runtime_of(request)
        if not hasattr(state, "principal"):
            state.principal = await runtime.admit(request.headers.get("authorization"), now=runtime.clock.now())
            state.is_admitted, state.is_customer = True, state.principal.role is Role.REQUESTER
            state.leaving.append(runtime.limits.hold(state.principal))
        principal: Principal = state.principal
        if principal.role not in roles:
            wanted = " or ".join(sorted(role.value for role in roles))
            raise Forbidden(f"the role {principal.role} may not do this; it takes {wanted}")
        access = "read" if request.method in _READING else "write"
        if not principal.has_scope(runtime.service.name, access):
            name = runtime.service.name.replace("_", "-")
            raise Forbidden(f"this key has not the scope {name}:{access}")
        return principal

    async def call(
        request: Request,
        response: Response,
        idempotency_key: Annotated[
            str | None,
            Header(description="any text of your choice; the same request with the same key has one effect"),
        ] = None,
        prefer: Annotated[str | None, Header(description="`wait=N`: answer when all has settled")] = None,
    ) -> Call:
        principal = await admit(request)
        runtime = runtime_of(request)
        check_query(request)
        if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_LENGTH:
            raise InvalidInput(f"Idempotency-Key: expected 1 to {MAX_LENGTH} characters, got {len(idempotency_key)}")
        wait = _WAIT.search(prefer or "")
        return Call(
            principal=principal,
            now=principal.clock_at or runtime.clock.now(),
            runtime=runtime,
            request=request,
            response=response,
            idempotency_key=idempotency_key if request.method == "POST" else None,
            idempotency_hash=request_hash(method=request.method, path=str(request.url.path), body=await request.body())
            if idempotency_key is not None and reads_body
            else "",
            wait_seconds=min(int(wait[1]), _LONGEST_WAIT_SECONDS) if wait else 0,
            is_recorded=is_act and request.method not in _READING,
            reads_body=reads_body,
        )

    call.admit = admit  # type: ignore[attr-defined]
    call.roles = roles  # type: ignore[attr-defined]  # read where the table of routes and roles is made
    call.is_act = is_act  # type: ignore[attr-defined]
    return Depends(call)


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """A request of the operator of the installation, who belongs to no desk."""

    runtime: Runtime
    request: Request

    @property
    def now(self) -> datetime:
        """The machine's present."""
        return self.runtime.clock.now()

    def uow(self, desk_id: UUID) -> UnitOfWork:
        """Return the unit of work of what is done to a desk; it is recorded there."""
        act = Act(self.request, by=OPERATOR)
        return self.runtime.unit_of_work(desk_id=desk_id, now=self.now, claim=act)


def allow_operator() -> Any:
    """Return the dependency of a route that only the operator of the installation may call."""

    async def admit(request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        key = runtime_of(request).settings.operator_key.get_secret_value()
        if scheme.lower() != "bearer" or not hmac.compare_digest(secret.strip().encode(), key.encode()):
            raise Unauthenticated("expected the header `Authorization: Bearer …` with the operator key")
        request.state.is_admitted = True

    async def operator(request: Request) -> OperatorCall:
        await admit(request)
        check_query(request)
        return OperatorCall(runtime=runtime_of(request), request=request)

    operator.admit = admit  # type: ignore[attr-defined]
    operator.roles = ("operator",)  # type: ignore[attr-defined]
    operator.is_act = True  # type: ignore[attr-defined]
    return Depends(operator)


def allow_signed() -> Any:
    """Return the dependency of a route whose body is signed: the route checks the signature, no key is needed."""

    async def signed(request: Request) -> Runtime:
        return runtime_of(request)

    signed.roles = ("signature",)  # type: ignore[attr-defined]
    return Depends(signed)


def allow_anybody(reason: str) -> Any:
    """Return the dependency of a route that asks for no key; `reason` says, in the table of routes, why it need not."""

    async def anybody() -> None:
        return None

    anybody.roles = ("anybody",)  # type: ignore[attr-defined]
    anybody.reason = reason  # type: ignore[attr-defined]
    return Depends(anybody)
