"""Where time goes: named spans of work. Nothing is kept unless someone records.

A label party records all its threads; a feature party records the one thread that answers a message,
so that what one peer is told of timing holds nothing of another's job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """A stretch of work in nanoseconds of ``time.perf_counter_ns``, and the thread that did it."""

    name: str
    start: int
    end: int
    thread: int


@dataclass
class Recording:
    """Spans in the order in which they ended."""

    spans: list[Span] = field(default_factory=list)


_everywhere: list[Recording] = []
_local = threading.local()


@contextmanager
def span(name: str) -> Iterator[None]:
    """Name the work inside a ``with`` block."""
    recordings = [*_everywhere, *getattr(_local, "recordings", ())]
    if not recordings:
        yield
        return
    start = time.perf_counter_ns()
    try:
        yield
    finally:
        made = Span(name, start, time.perf_counter_ns(), threading.get_ident())
        for recording in recordings:
            recording.spans.append(made)


def is_recording() -> bool:
    """Return whether the spans of this process are being recorded."""
    return bool(_everywhere)


@contextmanager
def record_process() -> Iterator[Recording]:
    """Record the spans of every thread."""
    recording = Recording()
    _everywhere.append(recording)
    try:
        yield recording
    finally:
        _everywhere.remove(recording)


@contextmanager
def record_thread() -> Iterator[Recording]:
    """Record the spans of this thread alone."""
    recording = Recording()
    before = getattr(_local, "recordings", ())
    _local.recordings = (*before, recording)
    try:
        yield recording
    finally:
        _local.recordings = before
