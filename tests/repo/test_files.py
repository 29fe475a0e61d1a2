"""What may never be in a tracked file: registry hosts, lock files that name them, keys, paths of one machine."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = sorted((ROOT / "deploy/requirements").glob("*.txt"))
# Put together here, so that this file does not hold what it forbids.
_HOSTS = ("py" + "pi.org", "pypi.python" + ".org", "python" + "hosted.org", "test.py" + "pi.org", "/sim" + "ple/")
_SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    re.compile(r"\bplz_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\b"),
)


@cache
def tracked() -> tuple[Path, ...]:
    """Return the text files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return tuple(file for file in files if file.is_file())


def found(pattern: re.Pattern[str]) -> list[str]:
    """Return where a pattern occurs in the tracked files."""
    places = []
    for file in tracked():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        places += [f"{file.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    return places


@pytest.mark.parametrize("host", _HOSTS)
def test_no_file_names_a_package_index(host: str):
    assert found(re.compile(r"[a-z+]+://\S*" + re.escape(host))) == []


def test_there_is_no_uv_lock():
    assert [file for file in tracked() if file.name == "uv.lock"] == []


@pytest.mark.parametrize("secret", _SECRETS, ids=lambda pattern: pattern.pattern[:16])
def test_no_file_holds_a_secret(secret: re.Pattern[str]):
    assert found(secret) == []


def test_no_file_knows_one_machine_s_folders():
    assert found(re.compile(r"(?<![\w.])/(?:home|Users|work)/[a-z]\w+")) == []


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_requirements_are_pinned_hashed_and_name_no_host(path: Path):
    text = path.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--?(?:i|index-url|extra-index-url|find-links|f)\b", text, re.MULTILINE)
    requirements = [entry for entry in re.sub(r"\\\n\s*", " ", text).splitlines() if entry and entry[0] not in "#-"]
    assert requirements
    for requirement in requirements:
        name = requirement.split("--hash")[0].strip()
        assert re.match(r"[A-Za-z0-9._-]+(?:\[[a-z,_-]+\])?==[0-9][^\s;]*", name), name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", requirement), name


def test_addresses_in_documents_are_examples():
    documents = [path for path in tracked() if path.suffix in (".yaml", ".json") and "policies" in path.parts]
    addresses = {
        address for path in documents for address in re.findall(r"[\w.+-]+@[\w.-]+\w", path.read_text("utf-8"))
    }
    assert {address for address in addresses if not address.endswith("example.com")} == set()
