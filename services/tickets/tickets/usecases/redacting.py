"""Credentials of a ticket are taken out of what is said of it, now and before (PRO-22)."""

from collections.abc import Sequence
from typing import Any, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.erasure import Value
from tickets.domain.secrecy import Cipher, Mark
from tickets.repository import dossier, intake, personal_data, timeline
from tickets.repository.timeline import Entry

Body = TypeVar("Body", bound=BaseModel)


async def without_secrets(uow: UnitOfWork, cipher: Cipher | None, *, ticket_id: UUID, body: Body) -> Body:
    """Return an input with the secrets of its ticket taken out of every text, before it reaches timeline and events."""
    if cipher is None:
        return body
    async with uow.read() as connection:
        marks = await _marks(connection, ticket_id)
    if not marks:
        return body
    # Only what is free to say: a choice that happens to read like a secret is not one.
    said = {name: value for name, value in body if _is_text(type(body).model_fields[name].annotation)}
    left = {name: _redacted(cipher, value, ticket_id=ticket_id, marks=marks) for name, value in said.items()}
    return body.model_copy(update=left)


async def redact_texts(connection: Connection, cipher: Cipher, *, ticket_id: UUID, texts: Sequence[str]) -> list[str]:
    """Return texts about a ticket without its secrets."""
    marks = await _marks(connection, ticket_id)
    return [cipher.redact(text, ticket_id=ticket_id, marks=marks) for text in texts] if marks else list(texts)


async def _marks(connection: Connection, ticket_id: UUID) -> list[Mark]:
    return [
        Mark(mark=secret.mark, length=secret.length, label=secret.label)
        for secret in await dossier.list_secrets(connection, ticket_id)
        if secret.mark is not None and secret.length is not None
    ]


def _is_text(annotation: Any) -> bool:
    return annotation is str or any(_is_text(part) for part in get_args(annotation))


def _redacted(cipher: Cipher, value: Any, *, ticket_id: UUID, marks: Sequence[Mark]) -> Any:
    if isinstance(value, str):
        return cipher.redact(value, ticket_id=ticket_id, marks=marks)
    if isinstance(value, dict):
        return {name: _redacted(cipher, one, ticket_id=ticket_id, marks=marks) for name, one in value.items()}
    return value


async def take_out(tx: Transaction, ticket_id: UUID, value: Value, *, actor: str) -> None:
    """Take a value out of what was said of a ticket before it was entrusted; the caller holds the ticket's row.

    An entry that has it is erased, and what else it said is written anew beside it. What other services and people have
    read already is theirs.
    """
    if not value.is_searchable:
        return
    await personal_data.forget_ticket(tx, ticket_id, value, is_own=False)
    rows = [row for row in await personal_data.read_entries(tx.connection, ticket_id) if value.is_in(_words(row))]
    if rows:
        await timeline.erase_words(tx, ticket_id, [row["position"] for row in rows], actors=[])
    left = [
        Entry(
            kind="rewritten",
            actor=actor,
            occurred_at=row["occurred_at"],
            internal=row["internal"],
            text=value.forgotten(row["text"]),
            data={"kind": row["kind"], "position": row["position"], "data": value.forgotten(row["data"])},
        )
        for row in rows
    ]
    await timeline.add_entries(tx, ticket_id, left)
    await personal_data.forget_copies(tx, [ticket_id], value, own=(), others=())
    for mail in await intake.mails_about(tx.connection, ticket_id):
        if value.is_in([mail["subject"], mail["text"]]):
            subject, text = value.forgotten([mail["subject"], mail["text"]])
            await intake.rewrite_mail(tx, mail["message_id"], subject=subject, text=text)


def _words(row: Any) -> list[Any]:
    return [row["text"], row["data"]]
