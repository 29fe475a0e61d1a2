"""Verifying the ledger, and giving it away to be verified elsewhere."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from billing.domain import chain, export
from billing.domain.audit import Audit, Seal
from billing.domain.statement import FIRST, statement_hash
from billing.repository import seals, statements
from billing.schemas.ledger import VerificationView
from billing.usecases.replay import replay_desk
from plazo.kernel.time import format_instant
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Cause, SystemWork, Transaction, UnitOfWork


async def list_desks(work: SystemWork) -> dict[UUID, datetime | None]:
    """Return every desk, with its present where it is a sandbox."""
    return await seals.presents(work)


async def verify_ledger(uow: UnitOfWork) -> VerificationView:
    """Derive everything anew, and say whether it agrees and where not.

    From the entries: the chain of seals, sums, balances, lots, causes. From what was put in (contracts, tickets, work,
    grants, breaches): what each piece of work is charged and what pays for it, by the functions that charged it.
    """
    async with uow.read() as connection:
        audit = await audit_entries(connection)
        audit.blame(await seals.disagreements(connection))
        audit.blame(await _statement_faults(connection))
        tx = Transaction(connection=connection, desk_id=uow.desk_id, now=uow.now, producer="billing", cause=Cause())
        audit.blame([fault async for fault in replay_desk(tx)])
        waiting = await seals.count_unsealed(connection)
    return VerificationView(
        agrees=audit.agrees,
        transactions=audit.transactions,
        entries=audit.entries,
        sealed=audit.sealed,
        waiting=waiting,
        last_hash=audit.last_hash,
        faults=audit.faults,
    )


async def audit_entries(connection: Connection) -> Audit:
    """Read the whole ledger and derive chain, sums and balances from its entries."""
    audit = Audit()
    async for row in seals.all_seals(connection):
        content = await seals.sealed(connection, row["number"])
        audit.read_seal(
            Seal(row["number"], row["previous_hash"], row["hash"], row["transactions"]),
            [transaction for transaction, _ in content],
            [links for _, links in content],
        )
    audit.read(await seals.unsealed(connection))
    audit.compare_balances(*await seals.holdings(connection))
    return audit


async def _statement_faults(connection: Connection) -> list[str]:
    faults: list[str] = []
    last: dict[UUID, str] = {}
    for row in await statements.all_closed(connection):
        name = f"statement {row['contract_id']}/{row['month']}"
        if row["previous_hash"] != last.get(row["contract_id"], FIRST):
            faults.append(f"{name} does not follow the one before it")
        if statement_hash(row["previous_hash"], row["document"]) != row["hash"]:
            faults.append(f"{name} is not the document that was sealed")
        last[row["contract_id"]] = row["hash"]
    return faults


async def export_ledger(uow: UnitOfWork) -> AsyncIterator[str]:
    """Give the ledger of a desk line by line, see :mod:`billing.domain.export`."""
    manifest, last_hash = export.Manifest(), chain.GENESIS
    async with uow.read() as connection:
        yield manifest.write(export.header_line(desk_id=str(uow.desk_id), exported_at=format_instant(uow.now)))
        async for row in seals.all_seals(connection):
            last_hash = row["hash"]
            seal = Seal(row["number"], row["previous_hash"], row["hash"], row["transactions"])
            yield manifest.write(export.seal_line(seal))
            for transaction, links in await seals.sealed(connection, row["number"]):
                yield manifest.write(export.transaction_line(transaction, links))
        waiting = await seals.unsealed(connection)
        yield manifest.write(export.unsealed_line(len(waiting)))
        for transaction in waiting:
            yield manifest.write(export.transaction_line(transaction, None))
        for kind, held in zip(("account", "lot"), await seals.holdings(connection), strict=True):
            for line in export.holding_lines(kind, held.items()):
                yield manifest.write(line)
        yield manifest.close(last_hash=last_hash)
