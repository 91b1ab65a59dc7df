"""Retries of a label party: a message without an answer is sent again, an interrupted job is begun again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from parties.ledger.channel import FrameChannel
from parties.ledger.entries import Frame
from parties.link.transport import NoConnection, Untrusted
from vfl.errors import Interrupted, PeerRefused, PeerUnreachable


class Patience(NamedTuple):
    """How long a message is tried again, in seconds.

    seconds: from its first failure on.
    first_pause, longest_pause: between two tries; every pause is twice as long as the one before.
    """

    seconds: float = 180.0
    first_pause: float = 0.25
    longest_pause: float = 5.0


PATIENCE = Patience()

ATTEMPTS = 10
"""How often work that a peer interrupts is done, in all."""

_Result = TypeVar("_Result")

log = logging.getLogger("parties")


class RetryingChannel:
    """A channel that sends a message again where it could not be delivered, or its answer was lost.

    That is safe: the peer knows the last request of a job by its bytes and gives the same answer again. A
    peer that was never reached is not tried again, nor one that shows a wrong certificate.

    Args:
        channel: carries the frames.
        patience: how long to try.
    """

    def __init__(self, channel: FrameChannel, patience: Patience = PATIENCE) -> None:
        self._channel = channel
        self._patience = patience
        self._met: set[str] = set()

    def exchange(self, peer: str, frame: bytes | Frame) -> bytes:
        """Return the peer's reply frame; raises what the channel raises, PeerUnreachable once time is up."""
        deadline, pause = None, self._patience.first_pause
        while True:
            try:
                answer = self._channel.exchange(peer, frame)
                self._met.add(peer)
                return answer
            except Untrusted:
                raise
            except PeerUnreachable as error:
                if not isinstance(error, NoConnection):
                    self._met.add(peer)
                now = time.monotonic()
                if deadline is None:
                    deadline = now + self._patience.seconds
                    if peer in self._met:
                        log.warning("%s; trying again for %.0f s", error, self._patience.seconds)
                if peer not in self._met or now + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, self._patience.longest_pause)


def until_done(work: Callable[[], _Result]) -> _Result:
    """Do work in new jobs for as long as a peer says that it let go of the last ones.

    Args:
        work: opens jobs of its own each time, and goes on where it stood if it can.

    Raises:
        PeerRefused: a peer interrupted it `ATTEMPTS` times.
        VflError: whatever else the work raises.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            return work()
        except PeerRefused as error:
            if error.peer_code != Interrupted.code or not left:
                raise
            log.warning("%s; opening a new job", error)
    raise AssertionError("the last attempt returns or raises")
