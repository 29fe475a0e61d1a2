"""Structured logs: one JSON object a line, with the request, desk and event they belong to."""

import logging
import re
import sys

import structlog

# Words, numbers and ids. What else stands in a path may be a secret, such as the token of a link.
_TELLING = re.compile(
    r"[a-z][a-z_.-]{0,23}|v\d|\d{1,12}|[0-9a-f]{12}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|"
)
_LONGEST_PATH = 500


def told_path(path: str) -> str:
    """Return the path of a request as logs may tell it: with `*` for whatever may be secret."""
    return "/".join(part if _TELLING.fullmatch(part) else "*" for part in path.split("/"))[:_LONGEST_PATH]


def configure(*, service: str, level: str) -> None:
    """Send this process's logs, uvicorn's among them, to standard error as JSON."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.contextvars.bind_contextvars(service=service)
    # While the database is away it would draw a traceback each second; we say `database_away`, and readiness does.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"
