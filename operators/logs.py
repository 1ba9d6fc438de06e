"""Logs with fields, by structlog on the standard library: ours, kopf's and everybody else's in one form.

A line is one record. Its keys are ``ts``, ``level``, ``logger``, ``msg`` and the fields of the call: ``kind``,
``namespace``, ``name``, ``pod``, ``reason``, ``error``. So a search for ``namespace=arena`` needs no knowledge of
sentences::

    log = get_logger(__name__)
    log.info("hook started", namespace=run.namespace, name=run.name)

Records of other libraries come through the same handler, with a message and no fields.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

FORMATS = ("json", "text")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

#: Attribute of a standard record that holds the fields of the call.
_FIELDS = "game_operators_fields"
#: Libraries that report from WARNING on.
_QUIET = ("kopf", "aiohttp", "asyncio", "httpx", "httpcore")


def _to_record(_logger: WrappedLogger, _method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """Turn a call into one of the standard logger: the text as message, the rest as fields of the record."""
    standard = {key: event.pop(key) for key in ("exc_info", "stack_info", "stacklevel") if key in event}
    return (str(event.pop("event")),), {**standard, "extra": {_FIELDS: dict(event)}}


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _to_record,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; ``name`` is its ``__name__``. Calls take the message and, as keywords, fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _from_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the keys of a line in order: time, level, logger, message, fields, traceback."""
    record: logging.LogRecord = event["_record"]
    line: EventDict = {
        "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "msg": event["event"],
    }
    about = getattr(record, "k8s_ref", None)  # kopf's object loggers say what they are about
    if isinstance(about, dict):
        line["object"] = "/".join(str(about[k]) for k in ("kind", "namespace", "name") if about.get(k))
    line.update({f"{key}_" if key in line else key: value for key, value in getattr(record, _FIELDS, {}).items()})
    trace = [event[key] for key in ("exception", "stack") if event.get(key)]
    if trace:
        line["exc"] = "\n".join(trace)
    return line


def _json(line: EventDict, **_: Any) -> str:
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:  # text with lone surrogates is no UTF-8
        readable = {k: str(v).encode(errors="backslashreplace").decode() for k, v in line.items()}
        return orjson.dumps(readable).decode()


def _text(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """For people. The lines of a message or traceback are joined by `` | ``, so that a record stays one line."""
    moment = datetime.fromisoformat(line.pop("ts")).strftime("%Y-%m-%dT%H:%M:%SZ")
    level, logger, message, trace = (line.pop(key, "") for key in ("level", "logger", "msg", "exc"))
    fields = " ".join(f"{key}={_quoted(value)}" for key, value in line.items())
    head = f"{moment} {level.upper():7} {logger}: {message}" + (f" {fields}" if fields else "")
    return " | ".join(part for whole in (head, trace) for part in whole.splitlines() if part.strip())


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(c.isspace() or c == '"' for c in text) else text


def formatter(style: str) -> structlog.stdlib.ProcessorFormatter:
    """How records are written in a ``style`` of `FORMATS`."""
    render = structlog.processors.JSONRenderer(serializer=_json) if style == "json" else _text
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _from_record,
            render,
        ],
        foreign_pre_chain=[],
        keep_exc_info=False,
        keep_stack_info=True,
    )


def configure(style: str = "json", level: str = "INFO") -> None:
    """Write one line a record to standard error, as JSON or as text."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    quiet = max(logging.WARNING, logging.getLogger().level)
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.setLevel(quiet)
        logger.handlers.clear()
        logger.propagate = True
