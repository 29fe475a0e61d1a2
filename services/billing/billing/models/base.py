"""What all tables of billing have in common."""

from typing import Any

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING


class BillingTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


def reference(column: str, *, nullable: bool = False) -> Any:
    """Return a field that refers to a column of another table."""
    return Field(sa_column_args=(ForeignKey(column),), nullable=nullable)
