"""Structured logs on the standard library: ours, kopf's and everybody's alike, one line per record."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import orjson

FORMATS = ("json", "text")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class JsonLines(logging.Formatter):
    """``ts``, ``level``, ``logger``, ``msg``, and where there is one ``object`` and the traceback as ``exc``."""

    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        about = getattr(record, "k8s_ref", None)  # kopf's object loggers say what they are about
        if isinstance(about, dict):
            body["object"] = "/".join(str(about[k]) for k in ("kind", "namespace", "name") if about.get(k))
        trace = _trace(self, record)
        if trace:
            body["exc"] = trace
        try:
            return orjson.dumps(body).decode()
        except TypeError:  # text with lone surrogates is no UTF-8
            return orjson.dumps({k: v.encode(errors="backslashreplace").decode() for k, v in body.items()}).decode()


class TextLines(logging.Formatter):
    """For people; the lines of a traceback are joined by `` | ``, so that a record stays one line."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        parts = [self.formatMessage(record), _trace(self, record)]
        return " | ".join(line for part in parts for line in part.splitlines() if line.strip())


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def configure(style: str = "json", level: str = "INFO") -> None:
    """One line a record on standard error, as JSON or as text. Kopf and other libraries speak from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    quiet = max(logging.WARNING, logging.getLogger().level)
    for name in ("kopf", "aiohttp", "asyncio", "httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.setLevel(quiet)
        logger.handlers.clear()
        logger.propagate = True
