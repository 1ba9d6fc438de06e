"""What a log record says: its message and its fields, as one text."""

import logging


def told(record: logging.LogRecord) -> str:
    """``message key=value …``."""
    fields = getattr(record, "game_operators_fields", {})
    return " ".join([record.getMessage(), *(f"{key}={value}" for key, value in fields.items())])


def all_told(records: list[logging.LogRecord]) -> str:
    """All records, a line each."""
    return "\n".join(map(told, records))
