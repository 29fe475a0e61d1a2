import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(scope="session")
def make_data_folder():
    """Make a folder everybody can reach, with a path short enough for a Unix socket."""
    made = []

    def make():
        made.append(Path(tempfile.mkdtemp(prefix="plazo-", dir="/tmp")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
def data(make_data_folder):
    return make_data_folder()


@pytest.fixture(scope="session")
def shared_data(make_data_folder):
    """A data folder that keeps its cluster from test to test."""
    return make_data_folder()


@pytest.fixture(scope="session")
def stand_in():
    """The command line of the program in place of a service."""
    return lambda _service: [sys.executable, str(STAND_IN)]


@pytest.fixture(scope="session")
def nobody():
    """How to run Python as an ordinary user with what is installed here: `python`, and options of Popen."""
    look = ["-c", "import sys; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1:])))"]
    version = [str(part) for part in sys.version_info[:2]]
    switch = {"user": "nobody", "extra_groups": [], "cwd": "/"}
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            is_usable = subprocess.call([python, *look, *version], **switch) == 0
        except OSError:
            continue
        if is_usable:
            environment = {"PYTHONPATH": ":".join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
            return {"python": python, **switch, "env": environment}
    pytest.skip("no Python of this version that the user nobody may run")
