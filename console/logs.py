"""Logging is set up here and nowhere else: one line a record on stderr, plain or JSON, with its fields.

A record's message is the name of an event (``envelope.decided``) and its ``extra`` holds ids and outcomes. Tracebacks
are left out: they can hold content, and --debug shows the one that ends a command.
"""

import json
import logging
import sys
import time
from typing import Any, Final

# What every record has of its own; all else came by ``extra``.
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# Libraries that say in their own words what our links say in ours.
_QUIETER: Final = ("mqtt", "asyncio", "aiomqtt")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record was given as ``extra``."""
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}


def _at(record: logging.LogRecord) -> str:
    moment = time.gmtime(record.created)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(record.msecs):03d}Z"


def _error_name(record: logging.LogRecord) -> str | None:
    kind = record.exc_info[0] if record.exc_info else None
    return None if kind is None else kind.__name__


class PlainLines(logging.Formatter):
    """``2027-03-14T03:10:00.000Z info broker.service envelope.decided hid=… outcome=accepted``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the fields hold."""
        parts = [_at(record), record.levelname.lower(), record.name, _one_line(record.getMessage())]
        parts += [f"{name}={_value(value)}" for name, value in fields_of(record).items()]
        if (name := _error_name(record)) is not None:
            parts.append(f"raised={name}")
        return " ".join(parts)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if (name := _error_name(record)) is not None:
            line["raised"] = name
        return json.dumps(line, default=str)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _value(value: object) -> str:
    text = _one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or " " in text or '"' in text else text


def set_up_logging(*, level: str, style: str) -> None:
    """Log to stderr from this level on, in ``plain`` or ``json`` lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel("DEBUG" if level == "debug" else "CRITICAL")
