"""The progress line."""

from __future__ import annotations

import io

from parties.telemetry.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_few_plain_lines() -> None:
    """Where no terminal is, the first and last report are written and others at a low rate."""
    clock = iter([0.0, 10.0, 11.0, 30.0, 40.0])
    stream = io.StringIO()
    with ProgressLine("training", stream, monotonic=lambda: next(clock)) as report:
        for done in (1, 2, 3, 4):
            report(done, 4, "auc 0.7")
    assert stream.getvalue().splitlines() == [
        "training:  25%  1 of 4  auc 0.7  0:30 left",
        "training:  75%  3 of 4  auc 0.7  0:10 left",
        "training: 100%  4 of 4  auc 0.7  in 0:40",
    ]


def test_a_terminal_gets_one_line_rewritten() -> None:
    """On a terminal the line is rewritten in place and ended once."""
    stream = Terminal()
    with ProgressLine("aligning", stream) as report:
        report(0, 0, "")
        report(1, 1, "")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().count("\r") == 2
