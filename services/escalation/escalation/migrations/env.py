"""Alembic's environment of this service."""

from alembic import context

from escalation.models import METADATA
from plazo.runtime.migrations import run_environment

run_environment(context, METADATA)
