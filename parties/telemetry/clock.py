"""The time that contracts are compared with, passed in wherever it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds: since 1970, UTC, where it is compared with a contract."""

SYSTEM_CLOCK: Clock = time.time
