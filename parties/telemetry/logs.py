"""Logs: one line an event, as text or as JSON, with the same fields everywhere and nothing secret.

Only sentences of this program are written. The text of an exception or of another package's log may quote
data, so no more than its kind and the places in the code are written.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from parties.config.settings import Log

LOGGER = "parties"
FIELDS = ("job", "peer", "kind", "outcome", "ms")
"""Fields that an event may have besides time, level, event and text; each is left out where there is none."""


def event(level: int, name: str, text: str = "", **fields: str | float | None) -> None:
    """Log an event.

    Args:
        level: of `logging`.
        name: what happened, in one word.
        text: a sentence of this program; of an error only that of a `VflError`.
        fields: out of ``FIELDS``.
    """
    unknown = {*fields} - {*FIELDS}
    if unknown:
        raise TypeError(f"fields of a log are {FIELDS}, not {sorted(unknown)}")
    present = {key: value for key, value in fields.items() if value is not None and value != "-"}
    logging.getLogger(LOGGER).log(level, "%s", text or name, extra={"vfl": {"event": name, **present}})


def where(kind: type[BaseException] | None, trace: TracebackType | None) -> str:
    """Return the kind of an error and the lines it came through, without its text: that may hold data."""
    steps = [f"{Path(step.filename).name}:{step.lineno}" for step in traceback.extract_tb(trace)]
    return f"{kind.__name__ if kind else 'error'} at {' > '.join(steps)}"


def configure(settings: Log, *, stream: TextIO | None = None, quiet: bool = False) -> None:
    """Write logs to standard error, as ``[log]`` says.

    Args:
        quiet: as text, write warnings and errors only: a person looks at the progress line instead.
    """
    level = getattr(logging, settings.level.upper())
    handler = _Handler(stream)
    handler.setFormatter(_Json() if settings.format == "json" else _Text())
    handler.setLevel(max(level, logging.WARNING) if quiet and settings.format == "text" else level)
    root = logging.getLogger()
    for other in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(min(level, logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: _fault(kind, trace)
    if not quiet:
        threading.excepthook = lambda args: _fault(args.exc_type, args.exc_traceback)


# Python 3.10 cannot subscript this class when it runs.
class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what standard error is at the moment, unless given another stream."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self._stream = stream

    def filter(self, record: logging.LogRecord) -> bool:
        return _is_own(record) or record.levelno >= logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = self._stream or sys.stderr
        super().emit(record)


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == LOGGER


def _fault(kind: type[BaseException] | None, trace: TracebackType | None) -> None:
    event(logging.CRITICAL, "fault", where(kind, trace))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record: of our own all, of another package's none of its text."""
    time = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
    common = {"time": time.isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
    if not _is_own(record):
        text = f"{record.name} at {record.filename}:{record.lineno}"
        return common | {"event": "package", "text": text}
    own: dict[str, Any] = getattr(record, "vfl", {"event": "note"})
    text = where(record.exc_info[0], record.exc_info[2]) if record.exc_info else record.getMessage()
    return common | own | ({} if text == own["event"] else {"text": text})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if isinstance(fields.get("ms"), float):
            fields["ms"] = round(fields["ms"], 3)
        return json.dumps(fields, ensure_ascii=True)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        first = [fields.pop("time"), fields.pop("level").upper(), fields.pop("event")]
        text = fields.pop("text", "")
        rest = [f"{key}={value:.1f}" if key == "ms" else f"{key}={value}" for key, value in fields.items()]
        # A line is a line, whatever is in a text.
        return " ".join([*first, *rest, " ".join(text.split())]).rstrip()
