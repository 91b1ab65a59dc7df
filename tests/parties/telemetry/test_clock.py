"""The clock of the system: seconds since 1970, UTC."""

from __future__ import annotations

import datetime

from parties.telemetry.clock import SYSTEM_CLOCK


def test_the_clock_is_the_time_in_utc() -> None:
    """As other programs of the machine see it."""
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    assert abs(SYSTEM_CLOCK() - now) < 5
