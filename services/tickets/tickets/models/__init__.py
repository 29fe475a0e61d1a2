"""The tables of tickets, as rows. Migrations make them; a test holds the two together."""

from tickets.models import dossier, intake, lifecycle, parties, quarantine, tickets, views
from tickets.models.base import TicketsTable

__all__ = ["METADATA", "dossier", "intake", "lifecycle", "parties", "quarantine", "tickets", "views"]

METADATA = TicketsTable.metadata
