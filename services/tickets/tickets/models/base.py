"""The base of all tables of this service."""

from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from plazo.runtime.tables import NAMING


class TicketsTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""
