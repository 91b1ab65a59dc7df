"""The way of a message through a feature party, always in this order.

who (certificate) -> may they ask anything -> size -> decode -> signed contract -> may they ask this
-> sequence and state -> work -> ledger, also for a refusal.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from parties import policy
from parties.config import Config
from parties.contracts import Contracts
from parties.jobs import Jobs
from parties.ledger import Ledger
from parties.notary import Notary
from parties.rows import Source
from parties.workers import worker_for
from vfl.errors import LocalError, VflError
from vfl.wire import messages as m
from vfl.wire.codec import Envelope, decode_request, encode
from vfl.wire.session import refusal

log = logging.getLogger("parties")


class InternalError(VflError):
    """A fault of this program; the peer hears of it as ``internal``, the log says where it was."""

    code = "internal"


class Door:
    """Turns what a client brings into an answer.

    Args:
        config: the party's configuration.
        engine: the party's database, with its contracts and jobs; those found open are marked interrupted.
        ledger: takes an entry for every message.
    """

    def __init__(self, config: Config, engine: sa.Engine, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._source = Source(config)
        self._jobs = Jobs(engine, Notary(config, Contracts(engine), self._source))

    def receive(self, fingerprint: str, read: Callable[[], bytes]) -> tuple[int, bytes]:
        """Return the HTTP status and the frame that answer a request.

        Args:
            fingerprint: of the client's certificate.
            read: reads the body, bounded; raises VflError.
        """
        peer, frame, envelope = "-", b"", None
        try:
            peer = policy.peer_with(self._config, fingerprint)
            policy.check_any(self._config.peers[peer])
            frame = read()
            envelope = decode_request(frame)
            answer = encode(self._answer(peer, envelope))
            status, outcome = 200, "ok"
        except Exception as caught:
            error = caught if isinstance(caught, VflError) else InternalError(_where(caught))
            _record(peer, error)
            answer = encode(refusal(error, envelope))
            status, outcome = error.http_status, error.code
        self._ledger.append("in", peer, frame, answer, outcome)
        return status, answer

    def _answer(self, peer: str, envelope: Envelope[m.Request]) -> Envelope[m.Reply]:
        return self._jobs.answer(
            peer,
            self._config.peers[peer],
            envelope,
            lambda kept: worker_for(self._config, self._source, peer, envelope.body, kept),
        )


def _record(peer: str, error: VflError) -> None:
    level = logging.ERROR if isinstance(error, (LocalError, InternalError)) else logging.WARNING
    log.log(level, "%s: %s: %s", peer, error.code, error)


def _where(error: Exception) -> str:
    """Return the kind of an error and the lines it came through, without its text: that may hold data."""
    steps = [
        f"{Path(step.filename).name}:{step.lineno}" for step in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at {' > '.join(steps)}"
