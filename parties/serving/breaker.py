"""The circuit breaker of one peer: after failures in a row nobody waits for it."""

from __future__ import annotations

import threading


class Breaker:
    """Opens after so many failures in a row, closes with the next success. Thread-safe.

    Args:
        failures: how many open it.
    """

    def __init__(self, failures: int) -> None:
        self._allowed = failures
        self._failures = 0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._failures >= self._allowed

    def success(self) -> bool:
        """Count an answer in time; return whether that closed the breaker."""
        with self._lock:
            closed = self.is_open
            self._failures = 0
            return closed

    def failure(self) -> bool:
        """Count a failed or late answer; return whether that opened the breaker."""
        with self._lock:
            self._failures += 1
            return self._failures == self._allowed
