"""A timeline of both sides of a job on one clock, as Chrome's trace viewer and Perfetto read it.

A feature party tells how long each step of an answer took in a ``Server-Timing`` header (W3C), where its
configuration lets it. The label party draws those steps on its own clock: in the middle between sending
the request and having the answer, as if both ways took equally long (as NTP assumes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from vfl.trace import Span

HEADER = "Server-Timing"
MAX_HEADER = 8_192
"""Characters of the header that are made or read; an answer has a few dozen steps at most."""

_ENTRY = re.compile(r"([A-Za-z-]{1,40});dur=(\d{1,9}\.\d{1,3});start=(\d{1,9}\.\d{1,3})")


def server_timing(spans: Iterable[Span], began: int, ended: int) -> str:
    """Return the header for an answer that took from ``began`` to ``ended`` (``perf_counter_ns``)."""
    entries = [f"total;dur={_ms(ended - began)};start=0.000"]
    for span in spans:
        name = re.sub(r"[^A-Za-z]+", "-", span.name)
        entries.append(f"{name};dur={_ms(span.end - span.start)};start={_ms(span.start - began)}")
    header: list[str] = []
    for entry in entries:
        if sum(len(each) + 2 for each in header) + len(entry) > MAX_HEADER:
            break
        header.append(entry)
    return ", ".join(header)


def peer_spans(header: str, sent: int, answered: int) -> list[Span]:
    """Return the steps that a peer told of, on our clock; nothing where the header is absent or strange.

    Args:
        sent, answered: when the request left and its answer was here, ``perf_counter_ns``.
    """
    steps = [(name, _ns(dur), _ns(start)) for name, dur, start in _ENTRY.findall(header[:MAX_HEADER])]
    if not steps or steps[0][0] != "total":
        return []
    began = sent + max(0, answered - sent - steps[0][1]) // 2
    return [
        Span(name.replace("-", " "), began + start, began + start + long, 0)
        for name, long, start in steps[1:]
    ]


def chrome_trace(spans_of: Mapping[str, Iterable[Span]]) -> dict[str, object]:
    """Return the timeline of each party's spans: a process for each party, a row for each thread."""
    events: list[dict[str, object]] = []
    spans_of = {party: list(spans) for party, spans in spans_of.items()}
    first = min((span.start for spans in spans_of.values() for span in spans), default=0)
    for process, (party, spans) in enumerate(spans_of.items(), start=1):
        events.append({"ph": "M", "name": "process_name", "pid": process, "args": {"name": party}})
        rows = {thread: row for row, thread in enumerate(dict.fromkeys(span.thread for span in spans))}
        events += [
            {
                "ph": "X",
                "name": span.name,
                "pid": process,
                "tid": rows[span.thread],
                "ts": (span.start - first) / 1e3,
                "dur": (span.end - span.start) / 1e3,
            }
            for span in sorted(spans, key=lambda span: span.start)
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _ms(nanoseconds: int) -> str:
    return f"{max(0, nanoseconds) / 1e6:.3f}"


def _ns(milliseconds: str) -> int:
    return round(float(milliseconds) * 1e6)
