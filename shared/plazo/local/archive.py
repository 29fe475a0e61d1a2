"""The file of a back-up: a tar archive whose `manifest.json` names every other member with its checksum.

A file without its manifest is not whole; one that differs from it by a byte is refused. Behind the manifest comes its
seal, an HMAC under a key that follows from the encryption key of the installation: who does not have that cannot write
a manifest of his own. A file that holds the secrets holds this key too, and so its seal says something only to who
compares it with secrets that he kept elsewhere.
"""

import hashlib
import hmac
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import IO, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from plazo.events.envelope import SERVICES
from plazo.kernel.errors import Kind, PlazoError

FORMAT = 2
MANIFEST = "manifest.json"
SEAL = "manifest.hmac"
SECRETS = "secrets.json"
_PIECE = 1024 * 1024
_BROKEN = (tarfile.TarError, ValueError, OverflowError)  # the last two for sizes that no disk has
_SECRETS_AT_MOST = 1024 * 1024  # bytes
_SECRET = re.compile(r"[A-Za-z0-9._~-]+")
_MEMBER = re.compile(rf"(databases/({'|'.join(SERVICES)})\.dump|secrets\.json|desk\.json|attachments/.+)")


class BackupError(PlazoError):
    """A back-up cannot be taken or put back; the message is one sentence that says why."""

    kind = Kind.CONFLICT
    code = "backup"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DumpedDatabase(_Model):
    """What a database held: its version, and how many rows in each table."""

    revision: str
    rows: dict[str, int]


class StoredFile(_Model):
    """One file of the archive, in bytes."""

    size: int
    sha256: str


class Manifest(_Model):
    """What a back-up holds, and as of when."""

    format: int
    plazo: str
    postgres: str
    taken_at: AwareDatetime
    databases: dict[str, DumpedDatabase]
    files: dict[str, StoredFile]
    encryption_key: str  # its fingerprint: what customers entrusted is unreadable with another

    @property
    def has_secrets(self) -> bool:
        """Whether the passwords and keys of the installation are inside."""
        return "secrets.json" in self.files


def read_secrets(content: bytes) -> dict[str, str]:
    """Return the passwords and keys in a `secrets.json`, which go into addresses and configuration files.

    :raises ValueError: if it is not like what :class:`plazo.local.credentials.Credentials` writes, or has no encryption
        key
    """
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise ValueError("expected an object of texts") from error
    if not isinstance(found, dict) or "secrets_key" not in found:
        raise ValueError("expected an object with the encryption key, secrets_key")
    for name, secret in found.items():
        if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
            raise ValueError(f"expected {name!r} to be of letters, digits, -, ., _ and ~")
    return found


def fingerprint(secrets: bytes) -> str:
    """Return what tells the encryption key in a `secrets.json` from any other, and nothing else; empty without one."""
    try:
        key = read_secrets(secrets)["secrets_key"]
    except ValueError:
        return ""
    return hashlib.sha256(f"plazo back-up {key}".encode()).hexdigest()


def seal(manifest: bytes, *, secrets: bytes) -> bytes:
    """Return what only who has this `secrets.json` can say of a manifest. :raises ValueError: if it is none"""
    encryption_key = read_secrets(secrets)["secrets_key"].encode()
    key = hmac.digest(encryption_key, b"plazo back-up: seal of the manifest", "sha256")  # a use of its own
    return hmac.new(key, manifest, "sha256").hexdigest().encode()


class ArchiveWriter:
    """Adds files to an archive, and takes their checksums on the way."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, StoredFile] = {}

    def add(self, name: str, file: Path) -> None:
        """Add a file. :raises OSError: if it cannot be read whole"""
        with file.open("rb") as content:
            about = tarfile.TarInfo(name)
            about.size = os.fstat(content.fileno()).st_size
            about.mode = 0o600
            reading = _Hashing(content)
            self._tar.addfile(about, reading)
        self.files[name] = StoredFile(size=about.size, sha256=reading.digest.hexdigest())

    def finish(self, manifest: Manifest, *, secrets: bytes) -> None:
        """Add the manifest and its seal, which make the archive whole. :raises BackupError: if `secrets` are none"""
        content = manifest.model_dump_json(indent=2).encode()
        try:
            sealed = seal(content, secrets=secrets)
        except ValueError as error:
            raise BackupError(f"{SECRETS} is not what Plazo wrote, no restore would take it: {error}") from error
        for name, text in ((MANIFEST, content), (SEAL, sealed)):
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(text), 0o600
            self._tar.addfile(about, BytesIO(text))


class _Hashing(RawIOBase):
    """Reads a file, and takes its checksum."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read, as a file does."""
        piece = self._content.read(size)
        self.digest.update(piece)
        return piece


@contextmanager
def written_archive(target: Path) -> Iterator[ArchiveWriter]:
    """Write an archive beside `target`, readable by its owner alone, and give it its name when it is whole.

    :raises BackupError: if there is a file of that name
    """
    if target.exists():
        raise BackupError(f"{target} is there already: choose another name")
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar)
            output.flush()
            os.fsync(output.fileno())
        draft.rename(target)
        _sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArchiveReader:
    """An archive as it was found."""

    def __init__(self, file: Path, tar: tarfile.TarFile) -> None:
        self._file = file
        self._tar = tar
        self._sealed = self._read(MANIFEST)
        self.manifest = _read_manifest(file, self._sealed)
        self._seal = self._read(SEAL)

    @classmethod
    @contextmanager
    def open(cls, file: Path) -> Iterator[Self]:
        """Open an archive and read its manifest. :raises BackupError: if it is not one, or not whole"""
        try:
            tar = tarfile.open(file, mode="r:")  # noqa: SIM115  # closed below
        except OSError as error:
            raise BackupError(f"cannot read {file}: {error.strerror or error}") from error
        except _BROKEN as error:
            raise BackupError(f"{file} is not a back-up of Plazo: {error}") from error
        with tar:
            yield cls(file, tar)

    def own_secrets(self) -> bytes:
        """Return the `secrets.json` inside. :raises BackupError: if it is none"""
        return self._read(SECRETS, at_most=_SECRETS_AT_MOST)

    def check_seal(self, secrets: bytes) -> None:
        """Check that who wrote the manifest had `secrets`. :raises BackupError: if not, or if they are none"""
        try:
            expected = seal(self._sealed, secrets=secrets)
        except ValueError as error:
            raise BackupError(f"{self._file} cannot be checked, its {SECRETS} is not one of Plazo: {error}") from error
        if not hmac.compare_digest(expected, self._seal):
            raise BackupError(f"{self._file} was altered: its {MANIFEST} is not the one that was sealed")

    def extract(self, folder: Path) -> None:
        """Write every file into `folder`. :raises BackupError: unless all of it is what the manifest says"""
        missing = {*self.manifest.files, MANIFEST, SEAL}
        (folder / "attachments").mkdir(mode=0o700, exist_ok=True)
        for member in self._tar:
            if member.name not in missing or not _is_plain(member):
                raise BackupError(f"{self._file} was altered: {member.name} does not belong there")
            missing.remove(member.name)
            if member.name in (MANIFEST, SEAL):
                continue
            try:
                self._extract(member, folder / member.name)
            except tarfile.TarError as error:
                raise BackupError(f"{self._file} is damaged at {member.name}: {error}") from error
        if missing:
            raise BackupError(f"{self._file} is not whole: {', '.join(sorted(missing)[:5])} missing")
        with self._file.open("rb") as behind:
            behind.seek(self._tar.offset)
            while piece := behind.read(_PIECE):
                if piece.strip(b"\0"):
                    raise BackupError(f"{self._file} was altered: something stands behind its end")

    def _read(self, name: str, *, at_most: int | None = None) -> bytes:
        try:
            member = self._tar.getmember(name)
            if not _is_plain(member) or (at_most is not None and member.size > at_most):
                raise BackupError(f"{self._file} was altered: its {name} is no file that Plazo wrote")
            content = self._tar.extractfile(member)
            assert content is not None
            return content.read()
        except (*_BROKEN, KeyError) as error:
            raise BackupError(f"{self._file} is not a whole back-up of Plazo: its {name} is missing") from error

    def _extract(self, member: tarfile.TarInfo, target: Path) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = self._tar.extractfile(member)
        assert content is not None
        reading = _Hashing(content)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            while piece := reading.read(_PIECE):
                output.write(piece)
            size = output.tell()
        if StoredFile(size=size, sha256=reading.digest.hexdigest()) != self.manifest.files[member.name]:
            raise BackupError(f"{self._file} was damaged or altered: {member.name} is not what was stored")


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is a file whose bytes are all there: no link, and no holes that would fill a disk."""
    return member.isreg() and not member.issparse()


def _read_manifest(file: Path, content: bytes) -> Manifest:
    with suppress(ValidationError):
        manifest = Manifest.model_validate_json(content)
        if manifest.format != FORMAT:
            raise BackupError(
                f"{file} has format {manifest.format}, this version reads {FORMAT}: use the version that wrote it, "
                f"plazo {manifest.plazo}"
            )
        strange = [name for name in manifest.files if not _MEMBER.fullmatch(name) or ".." in name.split("/")]
        needed = {f"databases/{service}.dump" for service in SERVICES} - set(manifest.files)
        if not strange and not needed and set(manifest.databases) == set(SERVICES):
            return manifest
    raise BackupError(f"the {MANIFEST} in {file} is not one that Plazo wrote")
