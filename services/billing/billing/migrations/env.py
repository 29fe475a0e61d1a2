"""Alembic's way in."""

from alembic import context

from billing.models import METADATA
from plazo.runtime.migrations import run_environment

run_environment(context, METADATA)
