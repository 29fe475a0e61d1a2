"""Credentials that a customer entrusts to whoever handles its ticket (PRO-22).

A value is kept encrypted, shown once, to the assignee, and erased when the ticket closes. It is in no event, timeline,
log or stored answer.
"""

from functools import lru_cache
from uuid import UUID

from plazo.kernel.errors import Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.identity import Principal, Role
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.erasure import Value
from tickets.domain.lifecycle import State
from tickets.domain.secrecy import MOST_SECRETS, Cipher, looks_like_credential, parse_keys
from tickets.domain.ticket import Ticket
from tickets.repository import dossier
from tickets.repository.timeline import Entry, add_entries
from tickets.schemas.dossier import SecretCreate, SecretRevealed, SecretView
from tickets.usecases.changes import By, hold_person, require_authorized
from tickets.usecases.reading import visible_ticket
from tickets.usecases.redacting import placeholder, take_out


class NotTheAssignee(PlazoError):
    """A secret is shown to whoever handles the ticket, and to nobody else."""

    kind = Kind.FORBIDDEN
    code = "not-the-assignee"


class SecretGone(PlazoError):
    """The secret was shown before, or erased."""

    kind = Kind.CONFLICT
    code = "secret-gone"


class TicketIsClosed(PlazoError):
    """A closed ticket takes no secrets: it would keep them."""

    kind = Kind.CONFLICT
    code = "ticket-closed"


class TooManySecrets(PlazoError):
    """A ticket has as many secrets as it may have, also shown ones: what is said of it is searched for all of them."""

    kind = Kind.CONFLICT
    code = "too-many-secrets"


def cipher_of(runtime: Runtime) -> Cipher:
    """Return what encrypts secrets in this installation. :raises NoKey: if its settings have no key"""
    key = runtime.settings.secrets_key
    return _cipher(key.get_secret_value() if key is not None else None)


def known_cipher(runtime: Runtime) -> Cipher | None:
    """Return what encrypts secrets in this installation, if anything does."""
    return cipher_of(runtime) if runtime.settings.secrets_key is not None else None


_cipher = lru_cache(maxsize=8)(parse_keys)


async def add_secret(uow: UnitOfWork, *, ticket_id: UUID, body: SecretCreate, by: By, cipher: Cipher) -> SecretView:
    """Keep a secret with a ticket, and take it out of what was said before; the customer's out of its own words alone.

    :raises NoSuchTicket:
    :raises NotAuthorized: for a person of the customer that may not answer (EXP-01)
    :raises TicketIsClosed:
    :raises TooManySecrets: at the 21st
    """
    async with uow.begin() as tx:
        await hold_person(tx, by.contact_id)
        ticket = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
        await require_authorized(tx.connection, ticket, by.contact_id)
        if ticket.state is State.CLOSED:
            raise TicketIsClosed(f"ticket {ticket.number} is closed; a secret is kept while a ticket is worked on")
        there = len(await dossier.list_secrets(tx.connection, ticket_id))
        if there >= MOST_SECRETS:
            raise TooManySecrets(f"ticket {ticket.number} has had {there} secrets; at most {MOST_SECRETS} are kept")
        secret_id = new_id()
        sealed = cipher.seal(body.value, desk_id=tx.desk_id, ticket_id=ticket_id, secret_id=secret_id)
        secret = dossier.Secret(
            secret_id=secret_id,
            ticket_id=ticket_id,
            label=body.label.replace(body.value, "…"),
            key_id=sealed.key_id,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            mark=sealed.mark,
            length=sealed.length,
            trace=sealed.trace,
            covers_desk=not by.is_customer or looks_like_credential(body.value),
            added_by=by.actor,
            added_at=tx.now,
        )
        value = Value(body.value, label=placeholder(there + 1))
        await take_out(tx, ticket, value, actor=by.actor, by_customer=by.is_customer)
        await dossier.insert_secret(tx, secret)
        await _note(tx, "secret_added", secret, actor=by.actor)
        view = _view(secret)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_secrets(uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None) -> list[SecretView]:
    """Return the secrets of a ticket without their values. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=customer_id)
        return [_view(secret) for secret in await dossier.list_secrets(connection, ticket_id)]


async def reveal_secret(
    uow: UnitOfWork, *, ticket_id: UUID, secret_id: UUID, principal: Principal, actor: str, cipher: Cipher
) -> SecretRevealed:
    """Show a secret, this once, to the assignee; its value is gone with this commit.

    :raises NotTheAssignee: naming whom it is for
    :raises SecretGone: if it was shown before, or erased
    """
    async with uow.begin() as tx:
        ticket = await visible_ticket(tx.connection, ticket_id, customer_id=principal.customer_id, lock=True)
        policy = await policies.find_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        _require_reader(ticket, policy, principal)
        secret = await dossier.take_secret(tx, ticket_id=ticket_id, secret_id=secret_id)
        if secret is None:
            raise NotFound(f"ticket {ticket.number} has no secret {secret_id}")
        if secret.key_id is None or secret.nonce is None or secret.ciphertext is None:
            raise SecretGone(_why_gone(secret))
        value = cipher.unseal(
            key_id=secret.key_id,
            nonce=secret.nonce,
            ciphertext=secret.ciphertext,
            desk_id=tx.desk_id,
            ticket_id=ticket_id,
            secret_id=secret_id,
        )
        trace = secret.trace  # of an earlier version's it can be known now, and never again
        if trace is None and secret.mark is not None:
            trace = cipher.trace(value, mark=secret.mark, key_id=secret.key_id, ticket_id=ticket_id)
        await dossier.note_reveal(tx, secret_id, to=actor, trace=trace)
        await _note(tx, "secret_revealed", secret, actor=actor, key_id=principal.key_id)
        shown = SecretRevealed(secret_id=secret_id, label=secret.label, value=value, revealed_at=tx.now)
        # What is kept for a repeated request has no value.
        tx.answer = shown.model_copy(update={"value": None}).model_dump(mode="json")
    return shown


def _require_reader(ticket: Ticket, policy: Policy | None, principal: Principal) -> None:
    """Let the assignee through: an agent is known by the label of its key, or by the name in its access token."""
    rule = policy.intake.secrets if policy is not None else None
    if principal.role is Role.AGENT and ticket.assignee is not None and principal.label == ticket.assignee:
        return
    clause = ", ".join(rule.clause) if rule is not None else None
    whom = ticket.assignee or "nobody yet"
    raise NotTheAssignee(
        f"a secret is shown to the assignee alone; ticket {ticket.number} is assigned to {whom}, "
        f"your key is {principal.role} {principal.label!r}",
        clause=clause,
    )


def _why_gone(secret: dossier.Secret) -> str:
    if secret.revealed_at is not None:
        return f"the secret was shown to {secret.revealed_to} at {secret.revealed_at.isoformat()}; it is shown once"
    return f"the secret was erased at {secret.erased_at.isoformat() if secret.erased_at else 'the closing'}"


async def _note(tx: Transaction, kind: str, secret: dossier.Secret, *, actor: str, **data: str) -> None:
    data = {"secret_id": str(secret.secret_id)} | data
    entry = Entry(kind=kind, actor=actor, occurred_at=tx.now, text=secret.label, internal=True, data=data)
    await add_entries(tx, secret.ticket_id, [entry])


def _view(secret: dossier.Secret) -> SecretView:
    return SecretView.model_validate(secret, from_attributes=True)
