"""The contract under which a service asks one feature party, for as long as it runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from parties.contracts.agreement import Agreed, is_ending
from parties.contracts.kept import seconds_now
from vfl.errors import VflError

RENEW_SECONDS = 600.0
"""How often the next contract is asked for before the last one ends."""

log = logging.getLogger("parties.serving")


class Standing:
    """A contract that all lanes to a feature party share. Thread-safe.

    Args:
        reach: has a contract signed; raises VflError.
    """

    def __init__(self, reach: Callable[[], Agreed]) -> None:
        self._reach = reach
        self._held: Agreed | None = None
        self._reaching: Future[Agreed] | None = None
        self._renewed = time.monotonic()
        self._lock = threading.Lock()

    def current(self) -> bytes:
        """Return the digest of a contract in force; whoever comes while it is proposed waits for the answer.

        Raises:
            VflError: there is none, to all who waited.
        """
        with self._lock:
            if self._held is not None and seconds_now() < self._held.contract.expires:
                return self._held.digest
            reaching, first = self._reaching, self._reaching is None
            if reaching is None:
                reaching = self._reaching = Future()
        if first:
            self._answer(reaching)
        return reaching.result().digest

    def refused(self, digest: bytes) -> None:
        """Let go of a contract under which the feature party opens no job."""
        with self._lock:
            if self._held is not None and self._held.digest == digest:
                self._held = None

    def renew(self) -> None:
        """Have the next contract signed when the one that is held is about to end; it stays until then."""
        held = self._held
        if held is None or not is_ending(held.contract):
            return
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        try:
            renewed = self._reach()
            with self._lock:
                self._held = renewed
        except VflError as error:
            log.warning("the contract that is about to end is not renewed: %s", error)

    def _answer(self, reaching: Future[Agreed]) -> None:
        held: Agreed | None = None
        try:
            held = self._reach()
            reaching.set_result(held)
        except BaseException as error:
            reaching.set_exception(error)
        finally:
            with self._lock:
                self._held, self._reaching = held, None
