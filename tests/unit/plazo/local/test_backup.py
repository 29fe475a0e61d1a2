"""What a restore refuses, before anything is started: each with a sentence that says why."""

import asyncio
import re
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from plazo.events.envelope import SERVICES
from plazo.local.archive import (
    ArchiveReader,
    BackupError,
    DumpedDatabase,
    Manifest,
    fingerprint,
    read_secrets,
    seal,
    written_archive,
)
from plazo.local.backup import back_up, restore
from plazo.local.loading import Script

SECRETS = '{"nats": "psecret", "secrets_key": "pkey"}'


OTHER = '{"secrets_key": "pother"}'


def write(
    folder: Path,
    *,
    revision: str = "202611210001",
    format_: int = 2,
    secrets: bool = True,
    sealed_with: str = SECRETS,
    more: tuple[str, ...] = (),
) -> Path:
    """Write a whole archive whose dumps hold nothing of worth."""
    content = folder / "content"
    target = folder / "backup.tar"
    with written_archive(target) as archive:
        for name in (*(f"databases/{service}.dump" for service in SERVICES), "attachments/a/b", *more):
            content.write_text(f"{name} " * 1000)
            archive.add(name, content)
        if secrets:
            content.write_text(SECRETS)
            archive.add("secrets.json", content)
        archive.finish(
            Manifest(
                format=format_,
                plazo="0.1",
                postgres="18",
                taken_at=datetime(2026, 5, 4, tzinfo=UTC),
                databases={service: DumpedDatabase(revision=revision, rows={}) for service in SERVICES},
                files=archive.files,
                encryption_key=fingerprint(SECRETS.encode()),
            ),
            secrets=sealed_with.encode(),
        )
    return target


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def cut(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])


def flip(file: Path, text: bytes) -> None:
    """Change one bit behind the first occurrence of `text`."""
    content = bytearray(file.read_bytes())
    content[content.index(text) + len(text) + 600] ^= 1
    file.write_bytes(content)


def append(file: Path, name: str, content: bytes = b"x") -> None:
    with tarfile.open(file, "a") as tar:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        tar.addfile(about, BytesIO(content))


def write_behind(file: Path) -> None:
    with file.open("ab") as behind:
        behind.write(b"\0" * 3_000_000 + b"x")


def append_without_end(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        about = tarfile.TarInfo("attachments/c")
        about.size = 10**22
        assert tar.fileobj is not None
        tar.fileobj.write(about.tobuf(tarfile.GNU_FORMAT))
        tar.offset += tarfile.BLOCKSIZE


def link(file: Path, name: str, target: str) -> None:
    with tarfile.open(file, "a") as tar:
        about = tarfile.TarInfo(name)
        about.type, about.linkname = tarfile.SYMTYPE, target
        tar.addfile(about)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param(lambda file: cut(file, 30_000), "not a whole back-up", id="cut in a dump"),
        pytest.param(lambda file: cut(file, 0), "not a back-up", id="empty"),
        pytest.param(lambda file: file.unlink(), "cannot read", id="not there"),
        pytest.param(lambda file: file.write_bytes(b"PGDMP" * 1000), "not a back-up", id="something else"),
        pytest.param(lambda file: flip(file, b"databases/billing.dump"), "damaged or altered", id="one bit of a dump"),
        pytest.param(lambda file: flip(file, b"attachments/a/b"), "damaged or altered", id="one bit of a file"),
        pytest.param(lambda file: append(file, "postgres/PG_VERSION"), "does not belong there", id="a file more"),
        pytest.param(
            lambda file: append(file, "secrets.json", SECRETS.encode()), "does not belong", id="a second secrets.json"
        ),
        pytest.param(lambda file: append(file, "secrets.json", b"[]"), "is not one of Plazo", id="other secrets"),
        pytest.param(lambda file: append(file, "manifest.hmac"), "not the one that was sealed", id="another seal"),
        pytest.param(write_behind, "something stands behind its end", id="bytes behind the end"),
        pytest.param(append_without_end, "not a whole back-up", id="a file larger than any"),
        pytest.param(lambda file: link(file, "attachments/c", "secrets.json"), "does not belong there", id="a link"),
        pytest.param(lambda file: link(file, "manifest.hmac", "desk.json"), "no file that Plazo wrote", id="no seal"),
        pytest.param(lambda file: append(file, "manifest.json"), "not one that Plazo wrote", id="another manifest"),
    ],
)
async def test_a_file_that_is_not_what_was_written_is_refused(
    tmp_path: Path, harm: Callable[[Path], object], reason: str
) -> None:
    file = write(tmp_path)
    harm(file)
    with pytest.raises(BackupError, match=reason):
        await restore(file, tmp_path / "data")
    assert names(tmp_path) <= {"content", "backup.tar"}


async def test_a_newer_version_is_refused_and_named(tmp_path: Path) -> None:
    file = write(tmp_path, revision="999912310001")
    with pytest.raises(BackupError, match=r"newer version, plazo 0\.1 \(tickets at 999912310001"):
        await restore(file, tmp_path / "data")


async def test_a_format_of_later_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="has format 3, this version reads 2"):
        await restore(write(tmp_path, format_=3), tmp_path / "data")


async def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").touch()
    with pytest.raises(BackupError, match="is not empty"):
        await restore(write(tmp_path), data)
    assert names(data) == {"mine"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(None, "written without secrets: name .* with --secrets", id="none"),
        pytest.param("", "is not the secrets.json of the installation", id="empty"),
        pytest.param("hello", "is not the secrets.json of the installation", id="something else"),
        pytest.param("[]", "is not the secrets.json of the installation", id="a list"),
        pytest.param('{"secrets_key": "pother"}', "is not the secrets.json of the installation", id="another's"),
    ],
)
async def test_without_secrets_inside_the_right_ones_are_asked_for(
    tmp_path: Path, given: str | None, reason: str
) -> None:
    (file := tmp_path / "given.json").write_text(given or "")
    with pytest.raises(BackupError, match=reason):
        await restore(write(tmp_path, secrets=False), tmp_path / "data", secrets=None if given is None else file)
    assert names(tmp_path) == {"content", "backup.tar", "given.json"}


@pytest.mark.parametrize("secrets", [pytest.param(True, id="with secrets"), pytest.param(False, id="without")])
@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({}, id="all as it was"),
        pytest.param({"more": ("attachments/a/c",)}, id="an attachment more"),
        pytest.param({"revision": "202611220001"}, id="another version"),
    ],
)
async def test_who_has_not_the_secrets_cannot_seal_a_manifest(
    tmp_path: Path, altered: dict[str, Any], secrets: bool
) -> None:
    (kept := tmp_path / "kept.json").write_text(SECRETS)
    file = write(tmp_path, secrets=secrets, sealed_with=OTHER, **altered)
    with pytest.raises(BackupError, match=r"was altered: its manifest\.json is not the one that was sealed"):
        await restore(file, tmp_path / "data", secrets=kept)
    assert names(tmp_path) == {"content", "backup.tar", "kept.json"}


async def test_a_file_with_secrets_is_compared_with_those_that_were_kept(tmp_path: Path) -> None:
    (kept := tmp_path / "kept.json").write_text(OTHER)
    with pytest.raises(BackupError, match=r"kept\.json is not the secrets\.json of the installation"):
        await restore(write(tmp_path), tmp_path / "data", secrets=kept)


async def test_a_version_that_never_was_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there never was a version 0 of tickets"):
        await restore(write(tmp_path, revision="0"), tmp_path / "data")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no encryption key"),
        pytest.param(b'{"secrets_key": "pkey", "nats": 1}', id="a number"),
        pytest.param(b'{"secrets_key": "pkey", "nats": "p@example.com/"}', id="an address"),
        pytest.param(b'{"secrets_key": "pkey", "nats": "p\\n}"}', id="lines of a configuration file"),
        pytest.param(b"\xff", id="not text"),
        pytest.param(b"[" * 100_000, id="without a bottom"),
    ],
)
def test_secrets_are_what_goes_into_addresses_and_configuration_files(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|decode"):
        read_secrets(content)


def test_what_no_restore_would_take_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="expected 'nats' to be of letters, digits"):
        write(tmp_path, sealed_with='{"secrets_key": "pkey", "nats": "a b"}')
    assert names(tmp_path) == {"content"}


def test_a_seal_is_of_its_manifest_and_its_secrets() -> None:
    said = seal(b"a", secrets=SECRETS.encode())
    assert said == seal(b"a", secrets=b'{"secrets_key": "pkey"}')
    assert len({said, seal(b"b", secrets=SECRETS.encode()), seal(b"a", secrets=OTHER.encode())}) == 3
    assert b"pkey" not in said


def script(content: bytes) -> Script:
    source = asyncio.StreamReader()
    source.feed_data(content)
    source.feed_eof()
    return Script("tickets.dump", source)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"1\tuno\n2\tdos\n", id="two"),
        pytest.param(b"\n\n", id="empty ones"),
        pytest.param(b"\\\\.\n\\.x\nx\\.\n", id="what looks like an end"),
        pytest.param(b"x" * 3_000_000 + b"\n" + b"y\n" * 1_000_000, id="longer than a piece"),
    ],
)
async def test_rows_are_what_is_before_their_end(rows: bytes) -> None:
    reading = script(b"COPY\n" + rows + b"\\.\n\nSET\nlast")
    assert await reading.line() == "COPY"
    assert b"".join([piece async for piece in reading.rows()]) == rows
    assert [await reading.line() for _ in range(4)] == ["", "SET", "last", None]


@pytest.mark.parametrize("rows", [b"", b"1\n", b"1\n\\.", b"\\"])
async def test_rows_without_an_end_are_refused(rows: bytes) -> None:
    with pytest.raises(BackupError, match=r"tickets\.dump ends among the rows"):
        _ = [piece async for piece in script(rows).rows()]


async def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(BackupError, match="was altered: it holds 'xxx"):
        await script(b"x" * 3_000_000).line()


def test_the_fingerprint_knows_the_key_alone() -> None:
    """A later version adds passwords of its own to the file."""
    assert fingerprint(SECRETS.encode()) == fingerprint(b'{"secrets_key": "pkey", "nats_tickets": "pnew"}') != ""
    assert "pkey" not in fingerprint(SECRETS.encode())


async def test_the_root_of_a_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="/proc is a disk of its own: restore into a new folder on it"):
        await restore(write(tmp_path), Path("/proc"))


async def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = write(tmp_path)
    before = file.read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        write(tmp_path)
    assert file.read_bytes() == before


async def test_what_is_not_whole_never_has_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"), written_archive(tmp_path / "backup.tar") as archive:
        archive.add("desk.json", tmp_path / "nothing")
    assert names(tmp_path) == set()


async def test_a_folder_that_is_no_plazo_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is not the data folder"):
        await back_up(tmp_path, tmp_path / "backup.tar")
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "name", ["attachments/../secrets.json", "../etc/passwd", "/etc/passwd", "attachments/a/../../b"]
)
async def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    file, other = write(tmp_path), tmp_path / "other.tar"
    with ArchiveReader.open(file) as archive:
        found = archive.manifest
    with tarfile.open(other, "w") as tar:
        content = found.model_copy(update={"files": {**found.files, name: found.files["secrets.json"]}})
        about = tarfile.TarInfo("manifest.json")
        about.size = len(text := content.model_dump_json().encode())
        tar.addfile(about, BytesIO(text))
    with pytest.raises(BackupError, match=re.escape("not one that Plazo wrote")):
        await restore(other, tmp_path / "data")


async def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert write(tmp_path).stat().st_mode & 0o777 == 0o600
