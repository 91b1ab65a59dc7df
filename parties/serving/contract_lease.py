"""The contract under which a service asks one feature party, for as long as it runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from parties.contracts.client import SignedContract, is_ending
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from vfl.errors import VflError

RENEW_SECONDS = 600.0
"""How often the next contract is asked for before the last one ends."""

log = logging.getLogger("parties.serving")


class ContractLease:
    """A contract that all lanes to a feature party share. Thread-safe.

    Args:
        obtain: has a contract signed; raises VflError.
        clock: what expiry is held against.
    """

    def __init__(self, obtain: Callable[[], SignedContract], clock: Clock = SYSTEM_CLOCK) -> None:
        self._obtain, self._clock = obtain, clock
        self._held: SignedContract | None = None
        self._pending: Future[SignedContract] | None = None
        self._renewed = time.monotonic()
        self._lock = threading.Lock()

    def current(self) -> bytes:
        """Return the digest of a contract in force; whoever comes while it is proposed waits for the answer.

        Raises:
            VflError: there is none, to all who waited.
        """
        with self._lock:
            if self._held is not None and self._clock() < self._held.terms.expires:
                return self._held.digest
            pending, first = self._pending, self._pending is None
            if pending is None:
                pending = self._pending = Future()
        if first:
            self._answer(pending)
        return pending.result().digest

    def refused(self, digest: bytes) -> None:
        """Let go of a contract under which the feature party opens no job."""
        with self._lock:
            if self._held is not None and self._held.digest == digest:
                self._held = None

    def renew(self) -> None:
        """Have the next contract signed when the one that is held is about to end; it stays until then."""
        held = self._held
        if held is None or not is_ending(held.terms, self._clock()):
            return
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        try:
            renewed = self._obtain()
            with self._lock:
                self._held = renewed
        except VflError as error:
            log.warning("the contract that is about to end is not renewed: %s", error)

    def _answer(self, pending: Future[SignedContract]) -> None:
        held: SignedContract | None = None
        try:
            held = self._obtain()
            pending.set_result(held)
        except BaseException as error:
            pending.set_exception(error)
        finally:
            with self._lock:
                self._held, self._pending = held, None
