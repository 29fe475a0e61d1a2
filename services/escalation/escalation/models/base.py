"""The base of all tables of this service, and its kinds of columns."""

from typing import Any

from sqlalchemy import Integer, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING


class EscalationTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


def texts() -> Any:
    """Return a column with a list of texts."""
    return Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": text("'{}'")})


def numbers() -> Any:
    """Return a column with a list of whole numbers."""
    return Field(sa_type=ARRAY(Integer), sa_column_kwargs={"server_default": text("'{}'")})
