"""A channel that records every exchange: an entry in the ledger, and an event in the log."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from parties.ledger.entries import Frame, Ledger, outcome_of
from parties.telemetry.logs import event
from vfl.errors import VflError
from vfl.wire.channel import Channel


class FrameChannel(Protocol):
    """Carries a frame to a peer, also one whose heading has been read."""

    def exchange(self, peer: str, frame: bytes | Frame) -> bytes:
        """Return the peer's reply frame; raises as `vfl.wire.channel.Channel`."""
        ...


class LedgerChannel:
    """A channel that records every exchange of another one.

    Args:
        channel: carries the frames.
        ledger: takes the entries.
    """

    def __init__(self, channel: Channel, ledger: Ledger) -> None:
        self._channel = channel
        self._ledger = ledger

    def exchange(self, peer: str, frame: bytes | Frame) -> bytes:
        request, sent = Frame.read(frame), time.perf_counter_ns()
        try:
            reply = self._channel.exchange(peer, request.content)
        except VflError as error:
            _log(peer, request, error.code, sent, str(error))
            self._ledger.append("out", peer, request, None, error.code)
            raise
        _log(peer, request, "ok", sent)
        self._ledger.append("out", peer, request, reply, outcome_of(reply))
        return reply


def _log(peer: str, frame: Frame, outcome: str, sent: int, text: str = "") -> None:
    took = (time.perf_counter_ns() - sent) / 1e6
    job, kind = frame.heading.job, frame.heading.kind
    level = logging.INFO if outcome == "ok" else logging.WARNING
    event(level, "exchange", text, job=job, peer=peer, kind=kind, outcome=outcome, ms=took)
