"""Credentials of a ticket are taken out of what is said of it, now and before (PRO-22).

Staff's credentials are taken out of everything. Those of the customer are taken out of what its own side writes; out of
what the desk writes only from then on, and only if nobody writes such a value by chance. So no customer rewords what
the desk said, nor learns from what disappears what an internal note says; staff who entrust the same value take it out
of the rest.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar, get_args
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Check, Transaction, UnitOfWork
from tickets.domain.erasure import Forgettable, Retold, Value, is_from_customer
from tickets.domain.secrecy import Cipher, Mark, NoKey
from tickets.domain.ticket import Ticket
from tickets.repository import dossier, intake, lifecycle, personal_data, timeline
from tickets.repository.timeline import Entry

Body = TypeVar("Body", bound=BaseModel)


def placeholder(ordinal: int, *, of: str | None = None) -> str:
    """Return what stands in the place of a ticket's secret, by its place among them: no words that a caller chose.

    `of` is the number of its ticket, where that is another one than the text is about.
    """
    return f"secret {ordinal}" if of is None else f"secret {ordinal} of {of}"


class MoreSecrets(Exception):
    """A secret was entrusted after a text was searched for those there were, and before it was written."""


async def without_secrets(
    uow: UnitOfWork, cipher: Cipher, *, about: Sequence[UUID], body: Body, by_customer: bool
) -> tuple[Body, Check]:
    """Return an input with the secrets of its tickets taken out of every text, before it reaches timeline and events.

    And what sees, in the transaction that writes it, that no other secret has come: it raises :class:`MoreSecrets`,
    and the input is to be read once more.
    """
    async with uow.read() as connection:
        marks = await _marks(connection, cipher, desk_id=uow.desk_id, about=about, by_customer=by_customer)

    async def check(tx: Transaction) -> None:
        # Who entrusts a secret holds the ticket's row too: either it is seen here, or it sees what is written here.
        await lifecycle.hold_conversation(tx.connection, about)
        now = await _marks(tx.connection, cipher, desk_id=tx.desk_id, about=about, by_customer=by_customer)
        if not {one.mark for one in now} <= {one.mark for one in marks}:
            raise MoreSecrets

    if not marks:
        return body, check
    # Only what is free to say: a choice that happens to read like a secret is not one.
    said = {name: value for name, value in body if _is_text(type(body).model_fields[name].annotation)}
    # In a thread: while a long text is searched, others are answered.
    left = await asyncio.to_thread(_redacted, cipher, said, marks=marks)
    return body.model_copy(update=left), check


async def redact_texts(
    tx: Transaction, cipher: Cipher, *, ticket_id: UUID, texts: Sequence[str], by_customer: bool
) -> list[str]:
    """Return texts about a ticket without its secrets. From now on the transaction holds its row, so none is added."""
    await lifecycle.hold_conversation(tx.connection, [ticket_id])
    marks = await _marks(tx.connection, cipher, desk_id=tx.desk_id, about=[ticket_id], by_customer=by_customer)
    said = dict(enumerate(texts))
    left = await asyncio.to_thread(_redacted, cipher, said, marks=marks) if marks else said
    return list(left.values())


async def _marks(
    connection: Connection, cipher: Cipher, *, desk_id: UUID, about: Sequence[UUID], by_customer: bool
) -> list[Mark]:
    """Return what is known of the secrets that one side's words about tickets must not repeat.

    What is said of a merged ticket is said where that goes on, and its secrets stay secret there.
    """
    return [
        Mark(
            ticket_id=secret.ticket_id,
            mark=secret.mark,
            length=secret.length,
            shown=f"[{placeholder(place.ordinal, of=None if place.is_home else place.number)}]",
            trace=secret.trace,
            value=_open_value(cipher, secret, desk_id=desk_id),
        )
        for secret, place in await dossier.list_entrusted(connection, about)
        if secret.mark is not None and secret.length is not None
        if by_customer or secret.covers_desk is not False
    ]


def _open_value(cipher: Cipher, secret: dossier.Secret, *, desk_id: UUID) -> str | None:
    """Return a value that was not shown yet; one whose key is gone is known by its mark, if at all."""
    if secret.key_id is None or secret.nonce is None or secret.ciphertext is None:
        return None
    try:
        return cipher.unseal(
            key_id=secret.key_id,
            nonce=secret.nonce,
            ciphertext=secret.ciphertext,
            desk_id=desk_id,
            ticket_id=secret.ticket_id,
            secret_id=secret.secret_id,
        )
    except NoKey:
        return None


def _is_text(annotation: Any) -> bool:
    return annotation is str or any(_is_text(part) for part in get_args(annotation))


def _redacted(cipher: Cipher, value: Any, *, marks: Sequence[Mark]) -> Any:
    if isinstance(value, str):
        return cipher.redact(value, marks=marks)
    if isinstance(value, dict):
        return {name: _redacted(cipher, one, marks=marks) for name, one in value.items()}
    return value


async def take_out(tx: Transaction, ticket: Ticket, value: Value, *, actor: str, by_customer: bool) -> None:
    """Take a value out of what was said of a ticket before it was entrusted; the caller holds the ticket's row.

    An entry that has it is erased, and what else it said is written anew beside it. `by_customer` leaves alone what
    the desk said, and what only structures the dossier. What other services and people have read already is theirs.
    """
    if not value.is_searchable:
        return
    rows = await personal_data.read_entries(tx.connection, ticket.ticket_id)
    mails = await intake.mails_about(tx.connection, ticket.ticket_id)
    words: Forgettable = value
    if by_customer:
        own, others = _sides(rows)
        words = _own_words(ticket, value, own, others)
        senders = {row["actor"].removeprefix("email: ") for row in own}
        mails = [mail for mail in mails if mail["sender"] in senders]
        found = [row for row in own if value.is_in(row["text"])]
    else:
        found = [row for row in rows if value.is_in([row["text"], row["data"]])]
    await personal_data.forget_ticket(tx, ticket.ticket_id, words, is_own=False)
    if found:
        await timeline.erase_words(tx, ticket.ticket_id, [row["position"] for row in found], actors=[])
    left = [
        Entry(
            kind="rewritten",
            actor=actor,
            occurred_at=row["occurred_at"],
            internal=row["internal"],
            text=value.forgotten(row["text"]),
            data={
                "kind": row["kind"],
                "position": row["position"],
                "data": row["data"] if by_customer else value.forgotten(row["data"]),
            },
        )
        for row in found
    ]
    await timeline.add_entries(tx, ticket.ticket_id, left)
    await personal_data.forget_copies(tx, [ticket.ticket_id], words, own=(), others=())
    for mail in mails:
        if value.is_in([mail["subject"], mail["text"]]):
            subject, text = value.forgotten([mail["subject"], mail["text"]])
            await intake.rewrite_mail(tx, mail["message_id"], subject=subject, text=text)


def _sides(rows: Sequence[asyncpg.Record]) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """Return the entries that the customer's side wrote, and all others."""
    sides: tuple[list[asyncpg.Record], list[asyncpg.Record]] = ([], [])
    was_received = any(row["kind"] == "received" for row in rows)  # then whoever opened it released what was asked
    for row in rows:
        is_own = is_from_customer(kind=row["kind"], actor=row["actor"], internal=row["internal"])
        sides[0 if is_own or (was_received and row["kind"] == "opened") else 1].append(row)
    return sides


def _own_words(ticket: Ticket, value: Value, own: Sequence[asyncpg.Record], others: Sequence[asyncpg.Record]) -> Retold:
    """Return what the customer's side wrote with a value in it, and how it reads without, to find its copies.

    A text that the desk told the customer too, word by word, is the desk's. Its notes do not matter: else what goes
    would say what they are.
    """
    texts = [row["text"] for row in own]
    is_asked = any(row["kind"] == "opened" for row in own)
    if is_asked:
        texts += [ticket.subject, ticket.description]
    # Parts that nobody completed are of whoever opened the ticket.
    completed = {name for row in others if row["kind"] == "completed" for name in row["data"].get("parts", ())}
    texts += [text for name, text in ticket.answers.parts.items() if is_asked and name not in completed]
    theirs = {row["text"] for row in others if not row["internal"]}
    return Retold({text: value.forgotten(text) for text in texts if value.is_in(text) and text not in theirs})
