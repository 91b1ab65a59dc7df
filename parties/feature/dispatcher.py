"""The way of a message through a feature party, always in this order.

who (certificate) -> may they ask anything -> size -> decode -> signed contract -> may they ask this
-> sequence and state -> work -> ledger, also for a refusal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from parties.config import Config
from parties.contracts import rules
from parties.contracts.contract_store import StoredContract
from parties.contracts.verifier import ContractVerifier
from parties.data.rows import Source
from parties.feature import handshake_server
from parties.feature.jobs import Jobs
from parties.feature.workers import worker_for
from parties.ledger.entries import Ledger
from parties.ledger.heads import countersign
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from parties.telemetry.logs import event, where
from vfl.errors import LocalError, VflError
from vfl.jobs import PROTOCOL
from vfl.wire import ledger_messages as m
from vfl.wire.codec import Envelope, encode
from vfl.wire.handshake import Hello, encode_handshake, is_handshake
from vfl.wire.message import Message
from vfl.wire.session import Handler, refusal

Observer = Callable[[str, str, str, float, int, int], None]
"""Called after each message with peer, kind, outcome, seconds, and the bytes of both frames."""

MakeWorker = Callable[[Config, Source, str, Message, StoredContract], Handler]
"""Makes the worker of a job; see `parties.feature.workers.worker_for`."""


class InternalError(VflError):
    """A fault of this program; the peer gets the code ``internal``, the log says where it was."""

    code = "internal"


class Dispatcher:
    """Turns what a client brings into an answer.

    Args:
        config: the party's configuration.
        engine: the party's database, with its contracts and jobs; open jobs are marked interrupted.
        ledger: takes an entry for every message.
        observe: counts every message; nobody does by default.
        clock: the time that the expiry of contracts is compared with.
        make_worker: makes the worker of a job.
    """

    def __init__(
        self,
        config: Config,
        engine: sa.Engine,
        ledger: Ledger,
        observe: Observer = lambda *_: None,
        clock: Clock = SYSTEM_CLOCK,
        make_worker: MakeWorker = worker_for,
    ) -> None:
        self._config = config
        self._make_worker = make_worker
        self._clock = clock
        self._ledger = ledger
        self._source = Source(config)
        self._observe = observe
        self.jobs = Jobs(engine, ContractVerifier(config, engine, self._source, clock))

    def receive(self, fingerprint: str, read: Callable[[], bytes]) -> tuple[int, bytes]:
        """Return the HTTP status and the frame that answer a request.

        Args:
            fingerprint: of the client's certificate.
            read: reads the body, bounded; raises VflError.
        """
        began = time.perf_counter()
        peer, frame, kind, envelope, error = "-", b"", "-", None, None
        try:
            peer = rules.peer_with(self._config, fingerprint)
            rules.check_any(self._config.peers[peer])
            frame = read()
            if is_handshake(frame):
                answer = handshake_server.answer(self._config, self._source, peer, frame, self._clock)
                kind = Hello.__name__
            else:
                envelope = PROTOCOL.decode_request(frame)
                kind = type(envelope.body).__name__
                answer = encode(self._answer(peer, envelope))
            status, outcome = 200, "ok"
        except Exception as caught:
            place = where(type(caught), caught.__traceback__)
            error = caught if isinstance(caught, VflError) else InternalError(place)
            reply = refusal(error, envelope)
            # A frame that could not be read may be of another version: every version reads a handshake.
            answer = encode(reply) if envelope else encode_handshake(reply.body)
            status, outcome = error.http_status, error.code
        self._ledger.append("in", peer, frame, answer, outcome)
        took = time.perf_counter() - began
        job = envelope.job if envelope else None
        event(
            _level(error),
            "message",
            str(error or ""),
            job=job,
            peer=peer,
            kind=kind,
            outcome=outcome,
            ms=1e3 * took,
        )
        self._observe(peer, kind, outcome, took, len(frame), len(answer))
        return status, answer

    def _answer(self, peer: str, envelope: Envelope[Message]) -> Envelope[Message]:
        if isinstance(envelope.body, m.CloseLedger):
            self.jobs.check_closed(peer, envelope.job)
            signed = countersign(self._config, self._ledger, peer, envelope, envelope.body)
            return msgspec.structs.replace(envelope, body=signed)
        return self.jobs.answer(
            peer,
            self._config.peers[peer],
            envelope,
            lambda contract: self._make_worker(self._config, self._source, peer, envelope.body, contract),
        )


def _level(error: VflError | None) -> int:
    if error is None:
        return logging.INFO
    return logging.ERROR if isinstance(error, (LocalError, InternalError)) else logging.WARNING
