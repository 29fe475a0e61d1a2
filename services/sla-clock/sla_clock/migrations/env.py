"""Alembic's way in."""

from alembic import context

from plazo.runtime.migrations import run_environment
from sla_clock.models import METADATA

run_environment(context, METADATA)
