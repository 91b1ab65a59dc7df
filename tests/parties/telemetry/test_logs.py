"""Logs: the same fields in every line, a line an event, and no text that is not this program's own."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parties.config.settings import Log
from parties.telemetry import logs


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., io.StringIO]]:
    """Configures logs to a text in memory, and leaves the process as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def configure(quiet: bool = False, **settings: Any) -> io.StringIO:
        stream = io.StringIO()
        logs.configure(Log(**settings), stream=stream, quiet=quiet)
        return stream

    yield configure
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_an_event_is_one_json_object_with_its_fields(written: Any) -> None:
    """Machines read a time in UTC, a level, the event and the fields that there are, and nothing else."""
    stream = written(format="json")
    logs.event(logging.INFO, "message", job="j1", peer="bank", kind="SumRoot", outcome="ok", ms=1.23456)
    logs.event(logging.WARNING, "message", "a text\nof two lines", peer="-", outcome="malformed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    fields = {"job": "j1", "peer": "bank", "kind": "SumRoot", "outcome": "ok", "ms": 1.235}
    assert first == {"level": "info", "event": "message", **fields}
    assert set(second) == {"time", "level", "event", "outcome", "text"}


def test_text_is_a_line_an_event(written: Any) -> None:
    """No text, whoever chose it, makes a line that looks like another event."""
    stream = written()
    logs.event(logging.WARNING, "message", "a\n2026 INFO forged", peer="bank", ms=2.0)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" WARNING message peer=bank ms=2.0 a 2026 INFO forged")


def test_fields_are_the_documented_ones() -> None:
    """A field that nobody knows of is a mistake of the program, not a new column."""
    with pytest.raises(TypeError, match="fields of a log are"):
        logs.event(logging.INFO, "message", customer="C007")


@pytest.mark.parametrize("format", ["text", "json"])
def test_what_others_say_is_not_repeated(written: Any, format: str) -> None:
    """Exceptions, warnings and the logs of other packages tell where they came from, never their text."""
    stream = written(format=format)
    try:
        raise KeyError("C007")
    except KeyError as error:
        logging.getLogger("parties").exception("failed")
        sys.excepthook(KeyError, error, error.__traceback__)
        kept = error
    threading.excepthook(threading.ExceptHookArgs((KeyError, kept, kept.__traceback__, None)))
    logging.getLogger("sqlalchemy").error("parameters: C007")
    warnings.warn("bad value C007", stacklevel=1)
    assert "C007" not in stream.getvalue()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert sum("KeyError at test_logs.py:" in line for line in lines) == 3
    assert "sqlalchemy at test_logs.py:" in lines[3]


def test_levels_hold(written: Any) -> None:
    """Less than the level is silent; as text a command at work shows warnings only, as JSON everything."""
    for settings, seen in [
        ({"level": "error"}, ["error"]),
        ({"level": "debug"}, ["debug", "info", "warning", "error"]),
        ({"quiet": True}, ["warning", "error"]),
        ({"quiet": True, "format": "json"}, ["info", "warning", "error"]),
    ]:
        stream = written(**settings)
        for level in ("debug", "info", "warning", "error"):
            logs.event(getattr(logging, level.upper()), "e", f"at {level}")
        logging.getLogger("httpcore").info("chatter")
        told = stream.getvalue()
        assert [level for level in ("debug", "info", "warning", "error") if f"at {level}" in told] == seen
        assert "httpcore" not in told
