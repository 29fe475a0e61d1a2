"""What may be attached to a ticket: names, types and sizes."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from plazo.kernel.errors import Kind, PlazoError

LONGEST_NAME = 255
UNKNOWN_TYPE = "application/octet-stream"

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,127}")

# What makes a file a program, whatever it is called.
_PROGRAM_STARTS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"dex\n",
)
# What a desktop runs on a double click, whatever is in it.
_PROGRAM_NAMES = frozenset(
    [
        "app",
        "apk",
        "bat",
        "cmd",
        "com",
        "cpl",
        "dll",
        "dmg",
        "exe",
        "hta",
        "iso",
        "jar",
        "js",
        "jse",
        "lnk",
        "mjs",
        "msc",
        "msi",
        "msp",
        "pif",
        "ps1",
        "psm1",
        "reg",
        "scr",
        "sh",
        "sys",
        "url",
        "vb",
        "vbe",
        "vbs",
        "wsf",
        "wsh",
        "xll",
    ]
)
# Types whose files always begin with something recognizable: without it, the type is a lie.
_SIGNED_TYPES = frozenset(
    [
        "application/pdf",
        "application/zip",
        "application/gzip",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/bmp",
        "image/tiff",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ]
)
# Names that say the same as another one.
_SAME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "application/x-pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
    "application/x-gzip": "application/gzip",
    "text/xml": "application/xml",
    "audio/x-wav": "audio/wav",
}


class TypeRefused(PlazoError):
    """The file is a program, or of a type that this installation does not take."""

    code = "attachment-type-refused"


class FileTooLarge(PlazoError):
    """The file is larger than the settings allow."""

    kind = Kind.TOO_LARGE
    code = "attachment-too-large"


class TicketFull(PlazoError):
    """All attachments of the ticket together would be larger than the settings allow."""

    kind = Kind.TOO_LARGE
    code = "attachments-too-large"


@dataclass(frozen=True, slots=True)
class Limits:
    """What this installation takes: bytes a file, bytes a ticket, media types as patterns such as `image/*`."""

    file_bytes: int
    ticket_bytes: int
    refused: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileType:
    """What a file is said to be, what its first bytes say, and whether the two differ."""

    declared: str
    found: str | None
    is_suspect: bool


def clean_name(name: str | None) -> str:
    """Return a file's name without folders and control characters, never empty."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name or ""))[-1]
    shown = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip().strip(".")
    return shown[-LONGEST_NAME:] or "attachment"


def clean_type(declared: str | None) -> str:
    """Return the media type that a sender declared, without parameters; the unknown one for what is none."""
    type_ = (declared or "").partition(";")[0].strip().lower()
    return type_ if _MEDIA_TYPE.fullmatch(type_) else UNKNOWN_TYPE


def judge_type(*, name: str, declared: str, start: bytes, candidates: Sequence[str], limits: Limits) -> FileType:
    """Return what a file is, from its first bytes; `candidates` are the media types these may belong to.

    A type that lies is taken, and marked. :raises TypeRefused: for a program, and for what the limits do not take
    """
    if start.startswith(_PROGRAM_STARTS) or name.rpartition(".")[2].lower() in _PROGRAM_NAMES:
        raise TypeRefused(f"{name!r} is a program; programs are not taken as attachments")
    found = tuple(dict.fromkeys(_SAME.get(one, one) for one in candidates if one))
    told = _SAME.get(declared, declared)
    if told == UNKNOWN_TYPE:
        is_suspect = False
    elif found:
        is_suspect = told not in found and not _may_hold(told, found)
    else:
        is_suspect = told in _SIGNED_TYPES
    best = told if told in found else (found[0] if found else None)
    for type_ in filter(None, (declared, best)):
        if any(fnmatchcase(type_, pattern) for pattern in limits.refused):
            raise TypeRefused(f"{name!r} is {type_}; this desk does not take {', '.join(limits.refused)}")
        if limits.taken and not any(fnmatchcase(type_, pattern) for pattern in limits.taken):
            raise TypeRefused(f"{name!r} is {type_}; this desk takes {', '.join(limits.taken)} only")
    return FileType(declared=declared, found=best, is_suspect=is_suspect)


def _may_hold(told: str, found: Sequence[str]) -> bool:
    """Return whether a plain text may look like that: markup and mail have no signature of their own."""
    return told.startswith("text/") and any(one.startswith("text/") or one == "application/xml" for one in found)
