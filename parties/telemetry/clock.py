"""The time that contracts are held against. Whoever needs it is given it, so that tests can let days pass."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since 1970, UTC."""

SYSTEM_CLOCK: Clock = time.time
