"""Part `ledger`: charges by the service's own use case against a bare transaction, and a statement of a big month."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, process_time
from uuid import UUID

from bench.bare_ledger import BareLedger
from bench.figures import Bar, Chart, Goal, Report, Spread, Table, ratio, show, times
from bench.ledger_stage import ENTRIES, WRITERS, Ledgers, open_ledgers
from billing.repository import seals
from billing.usecases import sealing, statements, verification
from billing.usecases.settling import BalanceExhausted
from plazo.kernel.ids import new_id

ACCOUNTS = 10_000
_ROUNDS, _CHARGES = 3, 600
RUSH, UNITS = 10_000, 9_000
HOT, MANY = "one hot account", f"{ACCOUNTS:,} accounts"
Say = Callable[[str], None]
Rates = dict[tuple[str, str], list[float]]


def run(say: Say) -> Report:
    """Measure the ledger; about four minutes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        return asyncio.run(_measure_in(Path(folder), say))


async def _measure_in(folder: Path, say: Say) -> Report:
    async with open_ledgers(folder) as (ledgers, pool):
        say(f"making {ACCOUNTS:,} contracts")
        bare = BareLedger(pool)
        await bare.create(accounts=ACCOUNTS)
        contract, ticket, _, _ = await ledgers.sign(units=10**6)
        hot = await ledgers.copy_tickets(contract, ticket, [contract.contract_id] * _CHARGES * _ROUNDS)
        many = await ledgers.copy_tickets(contract, ticket, [new_id() for _ in range(ACCOUNTS)])
        await ledgers.admin.execute("VACUUM ANALYZE")
        say("charging")
        rates, processor = await _measure_charges(ledgers, bare, hot, many)
        say(f"{RUSH:,} charges at once on {UNITS:,} units")
        rush = await _measure_rush(ledgers)
        say(f"writing a month of {ENTRIES:,} entries")
        month = await ledgers.fill_month(entries=ENTRIES)
        say("stating, sealing and verifying it")
        seconds = await _measure_statement(ledgers, month.contract_id)
    return _report(rates, processor, seconds, rush)


async def _measure_charges(
    ledgers: Ledgers, bare: BareLedger, hot: list[UUID], many: list[UUID]
) -> tuple[Rates, list[float]]:
    rates: Rates = {}
    processor: list[float] = []

    async def take(account_id: UUID) -> None:
        await bare.charge(account_id, quantity=1)

    for number in range(_ROUNDS):
        here = slice(number * _CHARGES, (number + 1) * _CHARGES)
        turns: list[tuple[str, str, Callable[[UUID], Awaitable[None]], Sequence[UUID]]] = [
            (HOT, "service", ledgers.charge, hot[here]),
            (HOT, "bare", take, list(islice(cycle(bare.accounts[:1]), _CHARGES))),
            (MANY, "service", ledgers.charge, many[here]),
            (MANY, "bare", take, bare.accounts[here]),
        ]
        for where, who, charge, targets in turns:
            spent = process_time()
            rates.setdefault((where, who), []).append(await _charge_all(charge, targets))
            if (where, who) == (HOT, "service"):
                processor.append((process_time() - spent) / _CHARGES * 1000)
    return rates, processor


async def _charge_all(charge: Callable[[UUID], Awaitable[None]], targets: Sequence[UUID]) -> float:
    """Return how many a second go through by as many writers as there are connections."""
    left = iter(targets)

    async def write() -> None:
        for target in left:
            await charge(target)

    start = perf_counter()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return len(targets) / (perf_counter() - start)


async def _measure_rush(ledgers: Ledgers) -> float:
    """Charge an account by more at once than it can pay; returns charges a second. None is lost or passes the limit.

    :raises AssertionError: if the ledger says otherwise
    """
    contract, ticket, account_id, _ = await ledgers.sign(units=UNITS, policy="strict")
    tickets = await ledgers.copy_tickets(contract, ticket, [contract.contract_id] * RUSH)
    start = perf_counter()
    outcomes = await asyncio.gather(*(ledgers.charge(one) for one in tickets), return_exceptions=True)
    seconds = perf_counter() - start
    refused = [one for one in outcomes if one is not None]
    assert all(isinstance(one, BalanceExhausted) for one in refused), refused[:1]
    posted = await ledgers.admin.fetchrow(
        "SELECT count(*) AS entries, sum(amount)::bigint AS units FROM ledger_entry "
        "WHERE account_id = $1 AND amount < 0",
        account_id,
    )
    balance = await ledgers.admin.fetchval("SELECT balance FROM account WHERE account_id = $1", account_id)
    assert (len(refused), tuple(posted), balance) == (RUSH - UNITS, (UNITS, -UNITS), 0)
    return RUSH / seconds


async def _measure_statement(ledgers: Ledgers, contract_id: UUID) -> dict[str, float]:
    about = {"contract_id": contract_id, "month": "2026-05"}
    asked = about | {"customer_id": None, "locale": None}
    seconds: dict[str, float] = {}

    async def time(what: str, work: Callable[[], Awaitable[object]]) -> None:
        start = perf_counter()
        await work()
        seconds[what] = perf_counter() - start

    async def seal() -> None:
        while (await sealing.seal_ledger(ledgers.uow())).seal is not None:
            pass

    async def audit() -> None:
        async with ledgers.uow().read() as connection:
            found = await verification.audit_entries(connection)
            assert found.agrees, found.faults
            assert await seals.count_unsealed(connection) == 0

    await time("close the month", lambda: statements.close_statement(ledgers.uow(), **about))
    await time("read it again", lambda: statements.read_statement(ledgers.uow(), **about, customer_id=None))
    await time("the page", lambda: statements.print_statement(ledgers.uow(), **asked))
    await time("the lines", lambda: statements.list_lines(ledgers.uow(), **asked))
    await time("seal all transactions", seal)
    await time("verify the chain, sums and balances", audit)
    return seconds


def _report(rates: Rates, processor: list[float], seconds: dict[str, float], rush: float) -> Report:
    against = {where: ratio(rates[where, "service"], rates[where, "bare"]) for where in (HOT, MANY)}
    rows = [
        (where, who, str(Spread.of(rates[where, who])), times(against[where]) if who == "service" else "1")
        for where in (HOT, MANY)
        for who in ("service", "bare")
    ]
    closed = seconds["close the month"]
    return Report(
        part="ledger",
        goals=(
            Goal("G13", HOT, times(against[HOT]), ">= 0.5x of a bare transaction", against[HOT].middle >= 0.5),
            Goal("G13", MANY, times(against[MANY]), ">= 0.5x of a bare transaction", against[MANY].middle >= 0.5),
            Goal("G13", f"a statement over {ENTRIES:,} entries", f"{show(closed)} s", "< 1 s", closed < 1),
        ),
        tables=(
            Table(
                f"charges a second, {WRITERS} writers; {show(Spread.of(processor).middle)} ms of one are processor "
                "time of this process",
                ("on", "by", "charges a second", "of the bare transaction"),
                tuple(rows),
            ),
            Table(
                f"{RUSH:,} charges at once on an account of {UNITS:,} units: {UNITS:,} went through, the others were "
                "refused",
                ("on", "charges a second"),
                ((HOT, show(rush)),),
            ),
            Table(
                f"a month of {ENTRIES:,} entries on one account, of 1,000 tickets; seconds",
                ("what", "s"),
                tuple((what, show(spent)) for what, spent in seconds.items()),
            ),
        ),
        charts=(
            Chart(
                "ledger",
                "Charges a second",
                "charges a second",
                tuple(
                    (
                        where,
                        (
                            Bar(
                                "service: rate, fund, post, explain, announce", Spread.of(rates[where, "service"]), True
                            ),
                            Bar("bare: balance, two entries, event", Spread.of(rates[where, "bare"]), False),
                        ),
                    )
                    for where in (HOT, MANY)
                ),
            ),
        ),
    )
