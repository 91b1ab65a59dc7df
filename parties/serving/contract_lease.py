"""The scoring contract with one peer: obtained once, shared by all connections, renewed before it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from parties.contracts.client import SignedContract, is_ending
from parties.serving.timing import DEFAULT, Timing
from vfl.errors import VflError

log = logging.getLogger("parties.serving")


class ContractLease:
    """A contract that all workers of a peer share. Thread-safe.

    Args:
        obtain: has a contract signed; raises VflError.
        timing: the clock that expiry is held against, and how often a renewal is tried.
    """

    def __init__(self, obtain: Callable[[], SignedContract], timing: Timing = DEFAULT) -> None:
        self._obtain, self._timing = obtain, timing
        self._contract: SignedContract | None = None
        self._pending: Future[SignedContract] | None = None
        self._last_renewal = time.monotonic()
        self._lock = threading.Lock()

    def current(self) -> bytes:
        """Return the digest of a contract in force; callers during a proposal wait for its answer.

        Raises:
            VflError: there is none; all who waited get the error.
        """
        with self._lock:
            if self._contract is not None and self._timing.clock() < self._contract.terms.expires:
                return self._contract.digest
            pending, first = self._pending, self._pending is None
            if pending is None:
                pending = self._pending = Future()
        if first:
            self._propose(pending)
        return pending.result().digest

    def drop(self, digest: bytes) -> None:
        """Forget a contract under which the peer opens no job; another one than the current stays."""
        with self._lock:
            if self._contract is not None and self._contract.digest == digest:
                self._contract = None

    def renew(self) -> None:
        """Have the next contract signed when the current one is about to end, which stays until then.

        Should the current one end meanwhile, callers wait for this proposal: a second one would be a second
        contract.
        """
        with self._lock:
            contract, now = self._contract, time.monotonic()
            if contract is None or not is_ending(contract.terms, self._timing.clock()):
                return
            if self._pending is not None or now - self._last_renewal < self._timing.renewal:
                return
            self._last_renewal = now
            pending = self._pending = Future()
        self._propose(pending)
        error = pending.exception()
        if isinstance(error, VflError):
            log.warning("the contract that is about to end is not renewed: %s", error)
        elif error is not None:
            raise error

    def _propose(self, pending: Future[SignedContract]) -> None:
        """Have a contract signed, and tell all who wait how that went; a failure leaves the current one."""
        try:
            contract = self._obtain()
        except BaseException as error:
            with self._lock:
                self._pending = None
            pending.set_exception(error)
        else:
            with self._lock:
                self._contract, self._pending = contract, None
            pending.set_result(contract)
