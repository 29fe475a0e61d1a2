"""The walls between packages hold: the linter that guards them passes, and would not if they were broken."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from plazo.events.envelope import SERVICES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_contracts_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == EXIT_STATUS_SUCCESS


def test_every_service_is_under_every_contract():
    contracts = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    assert set(contracts["services are islands"]["modules"]) == set(SERVICES)
    assert set(contracts["service layers"]["containers"]) == set(SERVICES)
    assert set(contracts["plazo knows no service"]["forbidden_modules"]) == set(SERVICES)
    pure = set(contracts["the pure core does no I/O"]["source_modules"])
    assert {f"{service}.domain" for service in SERVICES} < pure


def test_importing_a_service_reads_no_setting_and_reaches_for_nothing():
    """Whoever lists the routes needs no database: settings are read when a process starts."""
    code = "import " + ", ".join(f"{service}.app" for service in SERVICES)
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
