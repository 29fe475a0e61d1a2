"""Alembic's way in."""

from alembic import context

from plazo.runtime.migrations import run_environment
from tickets.models import METADATA

run_environment(context, METADATA)
