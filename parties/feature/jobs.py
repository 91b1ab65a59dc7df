"""The jobs of a feature party: their workers in memory, their state in the database.

A worker's half-done work lives in memory only. After a restart every job that was open is marked
interrupted, and its peer hears so: a training goes on in a new job, other work is done again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from parties.config.settings import Peer
from parties.contracts import rules
from parties.contracts.contract_store import StoredContract
from parties.contracts.verifier import ContractVerifier
from parties.storage import database
from parties.storage.job_records import ENDED, INTERRUPTED
from parties.telemetry.clock import Clock
from vfl.errors import Interrupted, NotAllowed, OutOfSequence
from vfl.jobs import JOB_TYPES, PROTOCOL
from vfl.wire import contract_messages as m
from vfl.wire.codec import Envelope
from vfl.wire.message import Message
from vfl.wire.protocol import CLOSED, FAILED, NEW
from vfl.wire.session import FeatureSession, Handler

IDLE_SECONDS = 3_600.0
"""A job that its peer has not touched for so long gives way when the peer opens another."""

SPARE_SECONDS = 300.0
"""The same where the peer has as many jobs open as it may: the one left alone for longest gives way."""

ENDED_JOBS = 64
"""So many jobs that ended last stay in memory: a peer that missed the last answer of one gets it again."""


@dataclass
class Job:
    """One open job.

    ``opening`` is the kind of message that began it, ``subject`` what it makes, where two jobs cannot make
    the same: a peer that opens such a job again has given up the first. ``used`` is when its peer last
    touched it.
    """

    peer: str
    opening: type[Message]
    subject: tuple[type[Message], str] | None
    contract: bytes
    session: FeatureSession
    handler: Handler
    used: float

    def idle_since(self, moment: float) -> bool:
        return not self.session.busy and self.used < moment


class Jobs:
    """All jobs of this party. Made once when the server starts; calls may come from many threads.

    Args:
        engine: the party's database.
        verifier: signs contracts, and knows those that jobs are under.
        monotonic: seconds that idle jobs are measured with; they never run backwards.
    """

    def __init__(
        self, engine: sa.Engine, verifier: ContractVerifier, monotonic: Clock = time.monotonic
    ) -> None:
        self._engine = engine
        self._verifier = verifier
        self._monotonic = monotonic
        self._open: dict[str, Job] = {}
        self._ended: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._update(database.jobs.c.state.not_in(ENDED), state=INTERRUPTED)

    def answer(
        self,
        name: str,
        peer: Peer,
        envelope: Envelope[Message],
        make_handler: Callable[[StoredContract], Handler],
    ) -> Envelope[Message]:
        """Return the reply to one request, opening its job first where it is an opening.

        Args:
            name: name of the peer that sent it.
            peer: what the peer is granted.
            make_handler: makes the worker of a new job under a contract.

        Raises:
            NotAllowed: no contract in force, another peer's job, or a message beyond what the peer is
                granted or its contract says.
            RateExceeded: more customers than the contract allows; the job goes on.
            Interrupted: a job that was open when this party restarted, or that gave way.
            OutOfSequence: an unknown or ended job.
            VflError: from the session or the worker.
        """
        if isinstance(envelope.body, m.ProposeContract):
            reply = self._verifier.answer(name, envelope.body)
            return Envelope(envelope.job, envelope.sequence, reply, envelope.contract)
        contract = self._verifier.in_force(name, envelope.contract)
        job = self._find(name, envelope)
        if job is None:
            job = self._begin(name, peer, envelope, contract, make_handler)
        else:
            self._verifier.check_message(contract, job.opening, envelope.body)
        before = job.session.state
        job.used = self._monotonic()
        try:
            return job.session.answer(envelope, job.handler)
        finally:
            job.used = self._monotonic()
            # A message that leaves the state as it is, as most of scoring do, is in the ledger alone.
            if job.session.state != before:
                self._save(envelope.job, job)

    def check_closed(self, name: str, job: str) -> None:
        """Raise OutOfSequence unless a job has ended as it should, NotAllowed where it is another peer's."""
        table = database.jobs
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.job == job)).first()
        if row is None or row.state != CLOSED:
            raise OutOfSequence("this party knows no closed job of that name; close it first")
        rules.check_owner(name, row.peer)

    def open_by_peer(self) -> dict[str, int]:
        """Return how many jobs each peer has open."""
        with self._lock:
            return dict(Counter(job.peer for job in self._open.values()))

    def _find(self, name: str, envelope: Envelope[Message]) -> Job | None:
        """Return the job of a request, None for a new one; refuse a request of any other."""
        with self._lock:
            job = self._open.get(envelope.job) or self._ended.get(envelope.job)
        if job is not None:
            rules.check_owner(name, job.peer)
            if job.contract != envelope.contract:
                raise NotAllowed("this job is under another contract; name the one it was opened under")
            return job
        table = database.jobs
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.job == envelope.job)).first()
        if row is not None:
            rules.check_owner(name, row.peer)
            if row.state == INTERRUPTED:
                raise Interrupted("this party let go of the job, as after a restart; open a new job")
            raise OutOfSequence(f"this job is {row.state}; open a new job")
        if type(envelope.body) not in JOB_TYPES:
            raise OutOfSequence(f"this party knows no such job; {_openings()} opens one")
        return None

    def _begin(
        self,
        name: str,
        peer: Peer,
        envelope: Envelope[Message],
        stored: StoredContract,
        make_handler: Callable[[StoredContract], Handler],
    ) -> Job:
        if envelope.sequence != 1:
            raise OutOfSequence(f"request {envelope.sequence} opens a job; the first request is number 1")
        subject = _subject(envelope.body)
        self._give_way(name, subject, peer.limits.open_jobs)
        with self._lock:
            count = sum(job.peer == name for job in self._open.values())
        rules.check_opening(peer, stored.contract, envelope.body, count)
        session = FeatureSession(PROTOCOL, envelope.job)
        handler = make_handler(stored)
        job = Job(
            name, type(envelope.body), subject, envelope.contract, session, handler, used=self._monotonic()
        )
        now = database.now()
        row = {
            "job": envelope.job,
            "peer": name,
            "kind": JOB_TYPES[type(envelope.body)].permission,
            "state": NEW,
            "sequence": 0,
            "subject": subject[1] if subject else getattr(envelope.body, "model", "-"),
            "created": now,
            "updated": now,
        }
        with self._lock:
            if envelope.job in self._open:  # the same opening twice at a time: one worker answers both
                return self._open[envelope.job]
            with self._engine.begin() as connection:
                connection.execute(sa.insert(database.jobs).values(row))
            self._open[envelope.job] = job
        return job

    def _give_way(self, name: str, subject: tuple[type[Message], str] | None, limit: int) -> None:
        """Let go of jobs that a peer has given up, so that they do not keep it from opening another."""
        now = self._monotonic()
        with self._lock:
            candidates = {key: job for key, job in self._open.items() if job.peer == name}
            abandoned = [
                key
                for key, job in candidates.items()
                if job.idle_since(now - IDLE_SECONDS) or (subject is not None and job.subject == subject)
            ]
            oldest = min(candidates, key=lambda key: candidates[key].used, default="")
            full = len(candidates) >= limit
            if not abandoned and full and candidates[oldest].idle_since(now - SPARE_SECONDS):
                abandoned = [oldest]
            for key in abandoned:
                del self._open[key]
        for key in abandoned:
            # Its worker may be in the middle of a request, and must not write after its successor has begun.
            candidates[key].session.end()
        if abandoned:
            self._update(database.jobs.c.job.in_(abandoned), state=INTERRUPTED)

    def _save(self, key: str, job: Job) -> None:
        """Write the state that a job has come to, and let go of the worker of one that has ended."""
        state, sequence = job.session.state, job.session.sequence
        if state in (CLOSED, FAILED):
            with self._lock:
                if self._open.pop(key, None) is None:
                    return  # it gave way meanwhile, and is on record so
                self._ended[key] = replace(job, handler=_nothing)
                while len(self._ended) > ENDED_JOBS:
                    del self._ended[next(iter(self._ended))]
        self._update(database.jobs.c.job == key, state=state, sequence=sequence)

    def _update(self, where: sa.ColumnElement[bool], **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.update(database.jobs).where(where).values(updated=database.now(), **values))


def _subject(opening: Message) -> tuple[type[Message], str] | None:
    field = JOB_TYPES[type(opening)].makes
    return None if field is None else (type(opening), getattr(opening, field))


def _nothing(request: Message) -> Message:
    raise OutOfSequence(f"{type(request).__name__} comes after the end of the job")


def _openings() -> str:
    return " or ".join(opening.__name__ for opening in PROTOCOL.openings)
