"""What an account held at an instant, as it was known at another."""

from datetime import datetime
from uuid import UUID

from billing.repository import accounts, statements
from billing.schemas.ledger import BalanceView
from plazo.kernel.errors import NotFound
from plazo.money import format_quantity
from plazo.runtime.unit_of_work import UnitOfWork


async def read_balance(
    uow: UnitOfWork, *, account_id: UUID, customer_id: UUID | None, at: datetime | None, known_at: datetime | None
) -> BalanceView:
    """Return a balance from the entries that were true at `at` and recorded at `known_at`, both inclusive.

    :raises NotFound: if there is no such account that the caller may see
    """
    at, known_at = at or uow.now, known_at or uow.now
    async with uow.read() as connection:
        account = await accounts.find_account(connection, account_id, customer_id=customer_id)
        if account is None:
            raise NotFound(f"there is no account {account_id}")
        balance = await statements.balance_known_at(connection, account_id, at=at, known_at=known_at)
    workday = account.unit_minutes if account.unit == "workday" else None
    return BalanceView(
        account_id=account_id,
        counted_in=account.counted_in,
        at=at,
        known_at=known_at,
        balance=balance,
        balance_text={
            language: format_quantity(balance, account.counted_in, language=language, workday_minutes=workday)
            for language in ("es", "en")
        },
    )
