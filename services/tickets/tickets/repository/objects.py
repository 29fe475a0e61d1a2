"""The object store that holds the content of attachments: a local folder, or anything that speaks S3."""

import contextlib
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from uuid import UUID

import obstore
import puremagic
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from plazo.kernel.errors import Kind, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime.database import Database
from plazo.runtime.secret_files import read_secrets
from plazo.runtime.service import Runtime
from plazo.runtime.settings import OBJECT_STORE_SECRETS
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.attachments import FileTooLarge, FileType, Limits, clean_name, clean_type, judge_type

if TYPE_CHECKING:
    from obstore.store import S3Config  # for type checkers only

Chunks = AsyncIterable[bytes] | Iterable[bytes]

_START_BYTES = 4096
_PART_BYTES = 5 * 1024 * 1024
_S3_OPTIONS = {"endpoint", "region", "virtual_hosted_style_request"}

# An upload that is never attached is swept; the longest one must be over by then.
_INTEND = """
INSERT INTO unneeded_object (object_key, desk_id, remove_after)
VALUES ($1, $2, clock_timestamp() + interval '1 hour')
"""
# Who attaches one of these at this very moment waits, and is told that it is gone.
_DUE = """
SELECT object_key FROM unneeded_object WHERE remove_after <= clock_timestamp()
ORDER BY remove_after LIMIT 100 FOR UPDATE SKIP LOCKED
"""


class NoStore(PlazoError):
    """This installation keeps no attachments."""

    kind = Kind.UNAVAILABLE
    code = "no-attachment-store"


class StoreAway(PlazoError):
    """The object store cannot answer now."""

    kind = Kind.UNAVAILABLE
    code = "attachment-store-away"


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose whole content is in the store, and which no ticket has yet."""

    object_key: str
    name: str
    size: int
    sha256: str
    type: FileType


@dataclass(frozen=True, slots=True)
class Files:
    """The store, and what it takes."""

    store: ObjectStore
    limits: Limits
    database: Database

    async def put(self, chunks: Chunks, *, desk_id: UUID, name: str | None, declared_type: str | None) -> Stored:
        """Stream a file into the store; its checksum and type are taken on the way.

        :raises TypeRefused: for a program or a type that is not taken
        :raises FileTooLarge: as soon as it is
        :raises StoreAway: if the store does not take it
        """
        upload = _Upload(chunks, name=clean_name(name), declared=clean_type(declared_type), limits=self.limits)
        key = f"{desk_id}/{new_id()}"
        await self.database.system.execute(_INTEND, key, desk_id)
        try:
            await obstore.put_async(self.store, key, upload.pass_on(), use_multipart=True, chunk_size=_PART_BYTES)
        except (BaseError, OSError) as error:
            raise StoreAway("the store of attachments does not answer; try again in a moment") from error
        return Stored(
            object_key=key, name=upload.name, size=upload.size, sha256=upload.digest.hexdigest(), type=upload.type
        )

    async def get(self, object_key: str) -> AsyncIterator[bytes]:
        """Return the content of an object, as a stream. :raises StoreAway:"""
        try:
            found = await obstore.get_async(self.store, object_key)
        except (BaseError, OSError) as error:
            raise StoreAway("the store of attachments does not answer; try again in a moment") from error
        return found.stream(min_chunk_size=64 * 1024).__aiter__()

    async def sweep(self) -> int:
        """Remove objects that nobody needs: erased ones, and uploads that were never attached. :raises OSError:"""
        async with self.database.system.acquire() as connection, connection.transaction():
            keys = [row["object_key"] for row in await connection.fetch(_DUE)]
            for key in keys:
                # One that was never written, or that a sweep removed before it was cut short, is no fault.
                with contextlib.suppress(FileNotFoundError):
                    await obstore.delete_async(self.store, key)
            await connection.execute("DELETE FROM unneeded_object WHERE object_key = ANY($1::text[])", keys)
        return len(keys)


class _Upload:
    """Passes a file on, and learns what it is."""

    def __init__(self, chunks: Chunks, *, name: str, declared: str, limits: Limits) -> None:
        self.name = name
        self.size = 0
        self.digest = hashlib.sha256()
        self._chunks = chunks
        self._declared = declared
        self._limits = limits
        self._type: FileType | None = None

    @property
    def type(self) -> FileType:
        """What the file is, once it has passed."""
        return self._type or self._judge(b"")

    async def pass_on(self) -> AsyncIterator[bytes]:
        """Yield the file. :raises FileTooLarge: :raises TypeRefused:"""
        start = b""
        async for chunk in _each(self._chunks):
            self.size += len(chunk)
            if self.size > self._limits.file_bytes:
                raise FileTooLarge(f"{self.name!r} is larger than {self._limits.file_bytes} bytes")
            self.digest.update(chunk)
            if self._type is not None:
                yield chunk
                continue
            start += chunk
            if len(start) >= _START_BYTES:
                self._type = self._judge(start)
                yield start
        if self._type is None:
            self._type = self._judge(start)
            yield start

    def _judge(self, start: bytes) -> FileType:
        candidates = [match.mime_type for match in puremagic.magic_string(start)] if _is_known(start) else []
        return judge_type(
            name=self.name, declared=self._declared, start=start, candidates=candidates, limits=self._limits
        )


def _is_known(start: bytes) -> bool:
    try:
        puremagic.from_string(start)
    except (puremagic.PureError, ValueError):
        return False
    return True


async def _each(chunks: Chunks) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk


def files_of(runtime: Runtime) -> Files:
    """Return the store of an installation. :raises NoStore: if its settings name none"""
    settings = runtime.settings
    if settings.attachments_url is None:
        raise NoStore("this installation keeps no attachments: the setting PLAZO_ATTACHMENTS_URL is missing")
    return Files(
        store=_open_store(settings.attachments_url),
        limits=Limits(
            file_bytes=settings.attachment_max_bytes,
            ticket_bytes=settings.attachments_max_bytes,
            refused=_patterns(settings.attachment_types_refused),
            taken=_patterns(settings.attachment_types_taken),
        ),
        database=runtime.database,
    )


def _patterns(setting: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in setting.split(",") if part.strip())


@lru_cache(maxsize=8)
def _open_store(url: str) -> ObjectStore:
    """Open a store: `file:///folder`, or `s3://bucket/prefix?endpoint=…&region=…` with credentials from outside."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStore.from_url(url, mkdir=True)
    config = cast("S3Config", {key: value for key, value in parse_qsl(parts.query) if key in _S3_OPTIONS})
    secrets = read_secrets(OBJECT_STORE_SECRETS)  # else it looks where else a machine may have them
    config |= cast("S3Config", {name.removeprefix("AWS_").lower(): secret for name, secret in secrets.items()})
    where = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return S3Store.from_url(
        where, config=config, client_options={"allow_http": config.get("endpoint", "").startswith("http://")}
    )


async def claim_object(tx: Transaction, object_key: str) -> bool:
    """Say that an object is needed from this commit on; false if it was swept in the meantime."""
    tag = await tx.connection.execute("DELETE FROM unneeded_object WHERE object_key = $1", object_key)
    return str(tag) == "DELETE 1"


async def give_up_objects(tx: Transaction, object_keys: list[str]) -> None:
    """Say that objects are not needed from this commit on."""
    await tx.connection.executemany(
        "INSERT INTO unneeded_object (object_key, desk_id, remove_after) VALUES ($1, $2, clock_timestamp()) "
        "ON CONFLICT DO NOTHING",
        [(key, tx.desk_id) for key in object_keys],
    )
