"""A statement in words: labels in both languages, and amounts and dates as they are written where the contract is."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from plazo.calendar.zone import load_zone

_WORDS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "statement": "Estado de cuenta",
        "state_open": "provisional: el mes no está cerrado",
        "state_closed": "cerrado",
        "customer": "Cliente",
        "contract": "Contrato",
        "plan": "Plan",
        "period": "Período",
        "zone": "Hora de",
        "number": "Número",
        "closed_at": "Cerrado el",
        "hash": "Huella",
        "previous_hash": "Huella del anterior",
        "entries": "Asientos",
        "account": "Cuenta",
        "main": "Cuenta principal",
        "owed": "Por pagar",
        "credited": "Abonos por incumplimiento",
        "opening": "Saldo inicial",
        "granted": "Concedido",
        "used": "Consumido",
        "held": "Reservado",
        "expired": "Vencido",
        "late": "De meses cerrados",
        "closing": "Saldo final",
        "ticket": "Caso",
        "clauses": "Cláusulas",
        "quantity": "Cantidad",
        "late_title": "Lo que pertenece a meses ya cerrados",
        "month": "Mes",
        "entry": "Asiento",
        "at": "Fecha",
        "recorded_at": "Registrado",
        "credits_title": "Garantías incumplidas",
        "percent": "Porcentaje",
        "burn_down": "Saldo al final de cada día",
        "burn_down_text": "Empieza el {first} con {opening} y termina el {last} con {closing}; lo menos fue {least}.",
        "no_movement": "Sin movimientos.",
        "of_ticket": "Trabajo del caso {number}",
        "unit": "unidad",
        "units": "unidades",
        "workday": "jornada",
        "workdays": "jornadas",
    },
    "en": {
        "statement": "Statement of account",
        "state_open": "provisional: the month is not closed",
        "state_closed": "closed",
        "customer": "Customer",
        "contract": "Contract",
        "plan": "Plan",
        "period": "Period",
        "zone": "Time of",
        "number": "Number",
        "closed_at": "Closed on",
        "hash": "Hash",
        "previous_hash": "Hash of the one before",
        "entries": "Entries",
        "account": "Account",
        "main": "Main account",
        "owed": "Owed",
        "credited": "Service credits",
        "opening": "Opening balance",
        "granted": "Granted",
        "used": "Used",
        "held": "Reserved",
        "expired": "Expired",
        "late": "Of closed months",
        "closing": "Closing balance",
        "ticket": "Ticket",
        "clauses": "Clauses",
        "quantity": "Quantity",
        "late_title": "What belongs to months closed before",
        "month": "Month",
        "entry": "Entry",
        "at": "Date",
        "recorded_at": "Recorded",
        "credits_title": "Guarantees breached",
        "percent": "Percentage",
        "burn_down": "Balance at the end of each day",
        "burn_down_text": "From {opening} on {first} to {closing} as {last} ends; the least was {least}.",
        "no_movement": "No movements.",
        "of_ticket": "Work on ticket {number}",
        "unit": "unit",
        "units": "units",
        "workday": "workday",
        "workdays": "workdays",
    },
}


class Wording:
    """Writes for one locale and zone."""

    def __init__(self, locale: str, zone: str) -> None:
        self.locale = locale
        self.language = locale.partition("_")[0]
        self._zone = load_zone(zone)
        self._words = _WORDS[self.language]

    def __getitem__(self, name: str) -> str:
        return self._words[name]

    def account(self, name: str) -> str:
        """Return an account's name as people read it."""
        return self._words.get(name, name.replace("_", " "))

    def amount(self, quantity: int, counted_in: str, *, workday_minutes: int | None = None) -> str:
        """Write what an account counts: credit units, hours and minutes, workdays, money or percents."""
        if counted_in == "credit_unit":
            return self._counted(quantity, "unit", "units")
        if counted_in == "percent":
            written: str = format_percent(Decimal(quantity).scaleb(-2), locale=self.locale)
            return written
        if counted_in != "minute":
            minor = Decimal(quantity).scaleb(-get_currency_precision(counted_in))
            money: str = format_currency(minor, counted_in, locale=self.locale)
            return money
        if workday_minutes and quantity % workday_minutes == 0:
            return self._counted(quantity // workday_minutes, "workday", "workdays")
        hours, minutes = divmod(abs(quantity), 60)
        sign = "-" if quantity < 0 else ""
        whole = f"{format_decimal(hours, locale=self.locale)} h"
        return f"{sign}{whole} {minutes:02d} min" if minutes else f"{sign}{whole}"

    def _counted(self, quantity: int, one: str, many: str) -> str:
        return f"{format_decimal(quantity, locale=self.locale)} {self._words[one if abs(quantity) == 1 else many]}"

    def day(self, day: date) -> str:
        """Write a date in full."""
        written: str = format_date(day, "long", locale=self.locale)
        return written

    def instant(self, instant: datetime) -> str:
        """Write an instant as its date and time where the contract is."""
        written: str = format_datetime(instant, "medium", tzinfo=self._zone, locale=self.locale)
        return written

    def month(self, name: str) -> str:
        """Write a month such as 2026-05 with its name."""
        written: str = format_date(date.fromisoformat(f"{name}-01"), "LLLL yyyy", locale=self.locale)
        return written
