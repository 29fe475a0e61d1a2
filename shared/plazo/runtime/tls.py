"""TLS towards PostgreSQL and NATS: who asks for it gets it, or no connection."""

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_MODES_WITH_TLS = ("require", "verify-ca", "verify-full")
_POSTGRES_FILES = ("sslrootcert", "sslcert", "sslkey")


def trusting(*, authority: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Return what checks a server's certificate and name, and shows a certificate of ours if there is one.

    `authority` is a file with the certificates that the server's must come from; without it, the system's.

    :raises ValueError: naming the file that cannot be used
    """
    for file in filter(None, (authority, certificate, key)):
        require_readable(file)
    try:
        context = ssl.create_default_context(cafile=authority)
    except ssl.SSLError:
        raise ValueError(f"expected certificates in PEM: {authority}") from None
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError:
            raise ValueError(f"expected a certificate in PEM and the key that belongs to it: {certificate}") from None
    return context


def require_postgres_tls(url: str) -> None:
    """Check that an address of PostgreSQL that speaks of TLS insists on it, and that its files can be read.

    :raises ValueError: saying what was expected; the address is not repeated
    """
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    files = {name: asked[name] for name in _POSTGRES_FILES if name in asked}
    mode = asked.get("sslmode", "")
    if (mode or files) and mode not in (*_MODES_WITH_TLS, *(() if files else ("disable",))):
        raise ValueError("expected sslmode=verify-full where TLS is wanted: else a connection may be plain")
    for file in files.values():
        require_readable(file)


def require_readable(file: str) -> None:
    """Check that a file can be read. :raises ValueError: naming it and what is in the way"""
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from None
