"""Credentials entrusted with a ticket."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from tickets.routes.callers import AnyCall, StaffCall, by_of
from tickets.schemas.dossier import SecretCreate, SecretRevealed, SecretView
from tickets.usecases import secrets

router = APIRouter(prefix="/v1", tags=["secrets"])

SecretCall = Annotated[Call, allow(*EVERYBODY, reads_body=False)]


@router.post("/tickets/{ticket_id}/secrets", status_code=201)
async def add_secret(ticket_id: UUID, body: SecretCreate, call: SecretCall) -> SecretView:
    """Entrust a credential: kept encrypted, shown once to the assignee, erased when the ticket closes."""
    cipher = secrets.cipher_of(call.runtime)
    call = call.of_body(cipher.digest(f"{body.label}\n{body.value}"))
    return await secrets.add_secret(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call), cipher=cipher)


@router.get("/tickets/{ticket_id}/secrets")
async def list_secrets(ticket_id: UUID, call: AnyCall) -> list[SecretView]:
    """List the credentials of a ticket without their values."""
    return await secrets.list_secrets(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)


@router.post("/tickets/{ticket_id}/secrets/{secret_id}/reveal")
async def reveal_secret(ticket_id: UUID, secret_id: UUID, call: StaffCall) -> SecretRevealed:
    """Show a credential, this once, to the assignee. A repetition under the same Idempotency-Key has no value."""
    call.response.headers["Cache-Control"] = "no-store"
    return await secrets.reveal_secret(
        call.uow(),
        ticket_id=ticket_id,
        secret_id=secret_id,
        principal=call.principal,
        actor=by_of(call).actor,
        cipher=secrets.cipher_of(call.runtime),
    )
