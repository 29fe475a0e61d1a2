"""A statement line by line, for spreadsheets and for the system that makes invoices. Taxes are that one's business."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from uuid import UUID

from billing.domain.statement import BRINGING, AccountMonth, Movement, Statement
from billing.domain.statement_words import Wording
from plazo.kernel.cells import inert


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line; the columns never change their order or meaning.

    `kind` is `opening`, `granted`, `used`, `held`, `expired`, `credited` or `closing`; `quantity` is what was brought
    or taken, in whole `unit`s. Of a currency it stands in `amount_minor` too, signed as the customer owes it.
    `billable` is what goes beyond what was bought, and what is owed to the customer. What belongs to a closed month
    has its `late_month` and its ledger `entry`.
    """

    statement: str
    line: int
    month: str
    contract_id: UUID
    customer_id: UUID
    account: str
    kind: str
    billable: bool
    ticket: str | None
    description: str
    quantity: int
    unit: str
    amount_minor: int | None
    currency: str | None
    clauses: str
    late_month: str | None
    entry: int | None


COLUMNS = tuple(one.name for one in fields(StatementLine))


def statement_lines(
    statement: Statement, *, number: int | None, words: Wording, with_balances: bool
) -> tuple[StatementLine, ...]:
    """Return a statement's lines; `with_balances` also those that say what each account opened and closed with."""
    name = f"{statement.contract_id}/{statement.month}" + (f"#{number}" if number is not None else "")
    lines = []
    for place, part in enumerate(_parts(statement, words, with_balances=with_balances), start=1):
        account = part.account
        billable = account.kind in {"owed", "credited"} and part.kind not in {"opening", "closing"}
        is_money = account.unit == "currency"
        lines.append(
            StatementLine(
                statement=name,
                line=place,
                month=statement.month,
                contract_id=statement.contract_id,
                customer_id=statement.customer_id,
                account=account.name,
                kind=part.kind,
                billable=billable,
                ticket=part.ticket,
                description=part.description,
                quantity=part.quantity,
                unit=account.counted_in,
                amount_minor=_as_owed(part) if is_money else None,
                currency=account.counted_in if is_money else None,
                clauses=" ".join(part.clauses),
                late_month=part.late_month,
                entry=part.entry,
            )
        )
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class _Part:
    account: AccountMonth
    kind: str
    quantity: int
    description: str
    ticket: str | None = None
    clauses: Sequence[str] = ()
    late_month: str | None = None
    entry: int | None = None


def _as_owed(part: _Part) -> int:
    return -part.quantity if part.kind in {*BRINGING, "opening", "closing"} else part.quantity


def _parts(statement: Statement, words: Wording, *, with_balances: bool) -> Iterator[_Part]:
    for account in statement.accounts:
        if with_balances:
            yield _Part(account, "opening", account.opening, words["opening"])
        if account.granted:
            yield _Part(account, "granted", account.granted, words["granted"])
        for use in account.by_ticket:
            text = words["of_ticket"].format(number=use.number)
            yield _Part(account, "used", use.quantity, text, ticket=use.number, clauses=use.clauses)
        kinds: tuple[Movement, ...] = ("held", "expired")
        for kind in kinds:
            if quantity := getattr(account, kind):
                yield _Part(account, kind, quantity, words[kind])
        yield from _credit_parts(statement, account, words)
        for one in statement.late:
            if one.account_id == account.account_id:
                yield _Part(
                    account,
                    one.movement,
                    one.amount if one.movement in BRINGING else -one.amount,
                    f"{words['late']}: {words[one.movement]}",
                    ticket=one.number,
                    clauses=one.clauses,
                    late_month=one.month,
                    entry=one.entry,
                )
        if with_balances:
            yield _Part(account, "closing", account.closing, words["closing"])


def _credit_parts(statement: Statement, account: AccountMonth, words: Wording) -> Iterator[_Part]:
    if account.kind != "credited":
        return
    left = account.credited
    for one in statement.credits:
        if one.counted_in == account.counted_in and one.amount:
            left -= one.amount
            said = one.explanation[words.language]
            yield _Part(account, "credited", one.amount, said, ticket=one.number, clauses=one.clauses)
    if left:
        yield _Part(account, "credited", left, words["credited"])


def write_csv(lines: Iterable[StatementLine]) -> str:
    """Write lines as CSV (RFC 4180, UTF-8, with a header). No cell of text is taken for a formula."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_cell(value) for value in asdict(line).values()])
    return output.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else inert(value)
