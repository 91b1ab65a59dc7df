"""The connection pool to one peer for one model: workers with open scoring jobs answer queued questions.

A worker is a thread with a scoring job of its own, open over a warm connection. It takes all questions that
are queued and sends them in one message: a single request costs one round trip, and under load requests
share round trips. Workers also keep the peer ready (they reopen jobs and send probes), so no request waits
for that.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from parties.config.settings import Serving
from parties.serving.breaker import Breaker
from parties.serving.schemas import PeerState
from parties.serving.timing import DEFAULT, Timing
from vfl.arrays import Integers
from vfl.errors import AwaitingApproval, NotAllowed, PeerError, PeerRefused, VflError
from vfl.model.predictor import Answers
from vfl.scoring.label_party import RemotePart

MESSAGE_ROWS = 4_096
"""Rows up to which questions share a message; a larger question gets its own."""

NO_ROWS: Integers = np.zeros(0, dtype=np.int64)

log = logging.getLogger("parties.serving")


class Question:
    """Rows of one request, and the future of their answer [rows, outputs], see `RemotePart.ask`."""

    def __init__(self, positions: Integers) -> None:
        self.positions = positions
        self.answer: Future[Answers] = Future()
        self.created = time.monotonic()
        self.counted_late = False


class PeerConnection:
    """A peer as one published model sees it. Thread-safe; `close` ends its threads.

    Args:
        name: of the peer.
        open_job: opens a scoring job; raises VflError.
        settings: ``[serving]``.
        timing: how often idle workers send probes.

    Attributes:
        reasons: names under which contributions may be told, as the peer last said; None before it did.
    """

    def __init__(
        self,
        name: str,
        open_job: Callable[[], RemotePart],
        settings: Serving,
        timing: Timing = DEFAULT,
    ) -> None:
        self.name = name
        self.reasons: list[str] | None = None
        self._open_job = open_job
        self._warm = timing.warm
        self._in_time = settings.budget_ms / 1e3
        self._retry = settings.retry_seconds
        self._breaker = Breaker(settings.failures)
        self._queue: deque[Question] = deque()
        self._lock = threading.Lock()
        self._connected = threading.Condition(self._lock)  # workers with a job wait here
        self._disconnected = threading.Condition(self._lock)  # and workers without one here
        self._open_jobs = 0
        self._absence: PeerState = "down"
        self._closing = False
        self._attempts = threading.Semaphore(0)
        self._workers = [
            threading.Thread(target=self._work, name=f"{name} worker {number}", daemon=True)
            for number in range(settings.workers)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def state(self) -> PeerState:
        """``slow``: its answers failed or came late, so nobody waits for it; others: no job is open."""
        if not self._open_jobs:
            return self._absence
        return "slow" if self._breaker.is_open else "answering"

    def ask(self, positions: Integers) -> Question:
        """Queue a question about rows, int64 positions in the alignment; the caller has checked `state`."""
        question = Question(positions)
        with self._lock:
            self._queue.append(question)
            if not self._open_jobs:
                self._refuse_queued()
            self._connected.notify()
        return question

    def give_up(self, question: Question, budget: float) -> None:
        """Discard an answer that did not come within a request's budget.

        It counts against the peer where the budget, in seconds, was at least that of ``[serving]``.
        """
        question.answer.cancel()
        if budget >= self._in_time:
            question.counted_late = True
            self._count_failure("its answers come late")

    def wait_for_attempts(self, seconds: float) -> None:
        """Wait until every worker has tried to open its job, for at most so long."""
        deadline = time.monotonic() + seconds
        for _ in self._workers:
            self._attempts.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Finish the messages in flight, close the jobs and end the workers."""
        with self._lock:
            self._closing = True
            self._refuse_queued()
            self._connected.notify_all()
            self._disconnected.notify_all()
        for worker in self._workers:
            worker.join()

    # --- in the thread of a worker

    def _work(self) -> None:
        job = self._open(None)
        self._attempts.release()
        last_use = time.monotonic()
        while (questions := self._next(job, last_use)) is not None:
            job = self._answer(job, questions) if questions else self._probe(job)
            # A late answer shows that the peer is there: probe at once whether it is quick again.
            last_use = -math.inf if questions and job and self._breaker.is_open else time.monotonic()
        self._close_job(job)

    def _next(self, job: RemotePart | None, last_use: float) -> list[Question] | None:
        """Wait for the questions of one message; return none when a probe is due, None at the end."""
        with self._lock:
            while not self._closing:
                if job is not None and (batch := self._next_batch()):
                    return batch
                well = job is not None and not self._breaker.is_open
                interval = self._warm if well or self.state in ("waiting", "refused") else self._retry
                left = last_use + interval - time.monotonic()
                if left <= 0:
                    return []
                (self._disconnected if job is None else self._connected).wait(left)
        return None

    def _next_batch(self) -> list[Question]:
        batch: list[Question] = []
        rows = 0
        while self._queue and (not batch or rows + len(self._queue[0].positions) <= MESSAGE_ROWS):
            question = self._queue.popleft()
            if question.answer.set_running_or_notify_cancel():
                batch.append(question)
                rows += len(question.positions)
        return batch

    def _answer(self, job: RemotePart | None, questions: list[Question]) -> RemotePart | None:
        """Answer questions, with a new job where this one has ended, for example when the peer restarted."""
        positions = np.concatenate([question.positions for question in questions])
        try:
            assert job is not None  # noqa: S101  # a worker without a job takes no questions
            answers = self._ask(job, positions)
        except VflError as first:
            log.info("%s: %s; opening a new job", self.name, first)
            job = self._open(job)
            if job is None:
                self._fail(questions, first)
                return None
            try:
                answers = self._ask(job, positions)
            except VflError as again:
                self._lose_job()
                self._fail(questions, again)
                return None
        start = 0
        for question in questions:
            question.answer.set_result(answers[start : start + len(question.positions)])
            start += len(question.positions)
        slowest = time.monotonic() - min(question.created for question in questions)
        if slowest <= self._in_time:
            self._count_success()
        elif not any(question.counted_late for question in questions):
            self._count_failure("its answers come late")
        return job

    def _fail(self, questions: list[Question], error: VflError) -> None:
        self._count_failure(str(error))
        for question in questions:
            question.answer.set_exception(error)

    def _probe(self, job: RemotePart | None) -> RemotePart | None:
        """Ask for no rows, to see whether an answer comes in time; without a job open one."""
        if job is None:
            return self._open(None)
        sent = time.monotonic()
        try:
            self._ask(job, NO_ROWS)
        except VflError as error:
            self._count_failure(str(error))
            return self._open(job)
        if time.monotonic() - sent <= self._in_time:
            self._count_success()
        else:
            self._count_failure("its answers come late")
        return job

    def _ask(self, job: RemotePart, positions: Integers) -> Answers:
        try:
            return job.ask(positions)
        except VflError:
            raise
        except Exception as error:  # a fault of this program must not end the worker
            log.error("%s: %s in a worker", self.name, type(error).__name__)
            raise PeerError(f"{self.name} could not be asked ({type(error).__name__})") from None

    def _open(self, failed: RemotePart | None) -> RemotePart | None:
        """Open a job, in place of one that has failed if there was one; return None where none opens."""
        try:
            job = self._open_job()
            sent = time.monotonic()
            self._ask(job, NO_ROWS)
        except VflError as error:
            self._note_absence(error)
            if failed is not None:
                self._lose_job()
            return None
        self.reasons = job.reasons
        with self._lock:
            self._open_jobs += failed is None
            self._absence = "down"  # the state once the job is lost
        if time.monotonic() - sent <= self._in_time:
            self._count_success()
        return job

    def _note_absence(self, error: VflError) -> None:
        """Note why no job opens; the log warns people when the reason changes."""
        before, self._absence = self._absence, absence(error)
        level = logging.INFO if self._absence in (before, "down") else logging.WARNING
        log.log(level, "%s: no job can be opened: %s", self.name, error)

    def _lose_job(self) -> None:
        """Count one job less; without any, refuse all queued questions."""
        with self._lock:
            self._open_jobs -= 1
            if not self._open_jobs:
                self._refuse_queued()

    def _close_job(self, job: RemotePart | None) -> None:
        if job is not None:
            try:
                job.close()
            except VflError as error:
                log.info("%s: %s", self.name, error)

    def _refuse_queued(self) -> None:
        while self._queue:
            question = self._queue.popleft()
            if question.answer.set_running_or_notify_cancel():
                question.answer.set_exception(PeerError(f"no job with {self.name} is open"))

    def _count_success(self) -> None:
        if self._breaker.success():
            log.warning("%s answers in time again", self.name)

    def _count_failure(self, reason: str) -> None:
        if self._breaker.failure():
            log.warning("%s is not waited for: %s", self.name, reason)
            with self._lock:
                self._connected.notify_all()


def absence(error: VflError) -> PeerState:
    """Return the state of a peer where no job opens, by the error."""
    if isinstance(error, AwaitingApproval):
        return "waiting"
    code = error.peer_code if isinstance(error, PeerRefused) else error.code
    return "refused" if code == NotAllowed.code else "down"
