"""One line on standard error that says how far a job is and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from parties.telemetry.clock import Clock

Progress = Callable[[int, int, str], None]
"""Called with how much is done, how much there is in all, and what happened."""

EVERY_SECONDS_ON_TERMINAL = 0.2
EVERY_SECONDS_IN_FILE = 15.0


def silent(done: int, total: int, what: str) -> None:
    """Report no progress."""


class ProgressLine:
    """An ``on_progress`` callback: a line that is rewritten on a terminal, few plain lines elsewhere.

    Args:
        title: what is being done.
        stream: where to write; standard error by default.
        monotonic: seconds that the time left is computed from.
    """

    def __init__(self, title: str, stream: TextIO | None = None, monotonic: Clock = time.monotonic) -> None:
        self._title = title
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS_IN_FILE
        self._monotonic = monotonic
        self._started = monotonic()
        self._written: float | None = None

    def __call__(self, done: int, total: int, what: str) -> None:
        now = self._monotonic()
        if self._written is not None and now - self._written < self._every and done < total:
            return
        self._written = now
        ratio = done / total if total else 1.0
        left = self._left(ratio, now)
        text = f"{self._title}: {ratio:4.0%}  {done:,} of {total:,}  {what}  {left}".rstrip()
        self._stream.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._written is not None:
            self._stream.write("\n")

    def _left(self, ratio: float, now: float) -> str:
        elapsed = now - self._started
        if not 0 < ratio < 1:
            return f"in {_duration(elapsed)}" if ratio else ""
        return f"{_duration(elapsed * (1 - ratio) / ratio)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
