"""A clock that a test moves."""

from __future__ import annotations

import time


class MovableClock:
    """The time of this machine plus an offset in seconds; `parties.telemetry.clock.Clock`."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset
