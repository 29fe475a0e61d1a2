"""The tables of billing, as rows. Migrations make them; a test holds the two together."""

from billing.models import books, ledger, parties, quotes, work
from billing.models.base import BillingTable

__all__ = ["METADATA", "books", "ledger", "parties", "quotes", "work"]

METADATA = BillingTable.metadata
