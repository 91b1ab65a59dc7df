"""One model's conversation with one feature party, while the service runs.

A lane is a thread with a scoring job of its own, open over a warm connection. It takes everything that
waits and asks for it with one message: a request alone costs one round trip, and under load requests share
them. Lanes also do what keeps a partner ready (opening a job anew, probing), so that no request ever waits
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
from parties.serving.schemas import PartnerState
from vfl.arrays import Integers
from vfl.errors import AwaitingApproval, NotAllowed, PeerError, PeerRefused, VflError
from vfl.model.predictor import Answers
from vfl.scoring.label_party import RemotePart

MESSAGE_ROWS = 4_096
"""Rows up to which questions share a message; a larger one has a message to itself."""

WARM_SECONDS = 30.0
"""A lane with nothing to do sends a probe this often: half the time after which connections are let go. One
whose partner's people have to act first tries again as often."""

NO_ROWS: Integers = np.zeros(0, dtype=np.int64)

log = logging.getLogger("parties.serving")


class Question:
    """Rows of one request, and where the answer will be: [rows, outputs], see `RemotePart.ask`."""

    def __init__(self, positions: Integers) -> None:
        self.positions = positions
        self.answer: Future[Answers] = Future()
        self.asked = time.monotonic()
        self.counted_late = False


class PeerConnection:
    """A feature party as one published model sees it. Thread-safe; `close` ends its threads.

    Args:
        name: of the feature party.
        open_job: opens a scoring job; raises VflError.
        settings: ``[serving]``.
    """

    def __init__(self, name: str, open_job: Callable[[], RemotePart], settings: Serving) -> None:
        self.name = name
        self.reasons: list[str] | None = None
        """Names under which contributions may be told, as the partner last said; None before it did."""
        self._open_job = open_job
        self._in_time = settings.budget_ms / 1e3
        self._retry = settings.retry_seconds
        self._breaker = Breaker(settings.failures)
        self._waiting: deque[Question] = deque()
        self._lock = threading.Lock()
        self._busy = threading.Condition(self._lock)  # where lanes with a job wait
        self._idle = threading.Condition(self._lock)  # where lanes without one do
        self._open_jobs = 0
        self._absence: PartnerState = "down"
        self._closing = False
        self._tried = threading.Semaphore(0)
        self._lanes = [
            threading.Thread(target=self._lane, name=f"lane {lane} to {name}", daemon=True)
            for lane in range(settings.lanes)
        ]
        for lane in self._lanes:
            lane.start()

    @property
    def state(self) -> PartnerState:
        """``slow``: its answers failed or came late, so it is not waited for; others: no job is open."""
        if not self._open_jobs:
            return self._absence
        return "slow" if self._breaker.is_open else "answering"

    def ask(self, positions: Integers) -> Question:
        """Ask about rows, given by int64 positions in the alignment; `state` has been looked at."""
        question = Question(positions)
        with self._lock:
            self._waiting.append(question)
            if not self._open_jobs:
                self._refuse_waiting()
            self._busy.notify()
        return question

    def give_up(self, question: Question, budget: float) -> None:
        """Let go of an answer that did not come within a request's budget; it is thrown away if it comes.

        That counts against the partner where the budget, in seconds, was at least that of ``[serving]``.
        """
        question.answer.cancel()
        if budget >= self._in_time:
            question.counted_late = True
            self._failed("its answers come late")

    def wait_until_tried(self, seconds: float) -> None:
        """Wait until every lane has tried to open its job, at most so long."""
        deadline = time.monotonic() + seconds
        for _ in self._lanes:
            self._tried.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Finish the messages that are under way, close the jobs and end the lanes."""
        with self._lock:
            self._closing = True
            self._refuse_waiting()
            self._busy.notify_all()
            self._idle.notify_all()
        for lane in self._lanes:
            lane.join()

    # --- what a lane does

    def _lane(self) -> None:
        job = self._opened(None)
        self._tried.release()
        used = time.monotonic()
        while (questions := self._next(job, used)) is not None:
            job = self._answer(job, questions) if questions else self._probed(job)
            # A late answer shows that the partner is there: look at once whether it is quick again.
            used = -math.inf if questions and job and self._breaker.is_open else time.monotonic()
        self._leave(job)

    def _next(self, job: RemotePart | None, used: float) -> list[Question] | None:
        """Wait for questions and take what fits a message; none when it is time to probe, None at the end."""
        with self._lock:
            while not self._closing:
                if job is not None and (taken := self._take()):
                    return taken
                well = job is not None and not self._breaker.is_open
                idle = WARM_SECONDS if well or self.state in ("waiting", "refused") else self._retry
                left = used + idle - time.monotonic()
                if left <= 0:
                    return []
                (self._idle if job is None else self._busy).wait(left)
        return None

    def _take(self) -> list[Question]:
        taken: list[Question] = []
        rows = 0
        while self._waiting and (not taken or rows + len(self._waiting[0].positions) <= MESSAGE_ROWS):
            question = self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                taken.append(question)
                rows += len(question.positions)
        return taken

    def _answer(self, job: RemotePart | None, questions: list[Question]) -> RemotePart | None:
        """Answer questions; where the job has ended, as when the partner restarted, with a new one."""
        positions = np.concatenate([question.positions for question in questions])
        try:
            assert job is not None  # noqa: S101  # a lane without a job takes no questions
            told = self._told(job, positions)
        except VflError as first:
            log.info("%s: %s; opening a new job", self.name, first)
            job = self._opened(job)
            if job is None:
                self._fail(questions, first)
                return None
            try:
                told = self._told(job, positions)
            except VflError as again:
                self._lost()
                self._fail(questions, again)
                return None
        start = 0
        for question in questions:
            question.answer.set_result(told[start : start + len(question.positions)])
            start += len(question.positions)
        slowest = time.monotonic() - min(question.asked for question in questions)
        if slowest <= self._in_time:
            self._succeeded()
        elif not any(question.counted_late for question in questions):
            self._failed("its answers come late")
        return job

    def _fail(self, questions: list[Question], error: VflError) -> None:
        self._failed(str(error))
        for question in questions:
            question.answer.set_exception(error)

    def _probed(self, job: RemotePart | None) -> RemotePart | None:
        """Ask for no rows, to see whether an answer comes in time; open the job first where there is none."""
        if job is None:
            return self._opened(None)
        sent = time.monotonic()
        try:
            self._told(job, NO_ROWS)
        except VflError as error:
            self._failed(str(error))
            return self._opened(job)
        if time.monotonic() - sent <= self._in_time:
            self._succeeded()
        else:
            self._failed("its answers come late")
        return job

    def _told(self, job: RemotePart, positions: Integers) -> Answers:
        try:
            return job.ask(positions)
        except VflError:
            raise
        except Exception as error:  # a fault of this program must not end the lane
            log.error("%s: %s in a lane", self.name, type(error).__name__)
            raise PeerError(f"{self.name} could not be asked ({type(error).__name__})") from None

    def _opened(self, failed: RemotePart | None) -> RemotePart | None:
        """Return a new job, in place of one that has failed where there was one; None where none opens."""
        try:
            job = self._open_job()
            sent = time.monotonic()
            self._told(job, NO_ROWS)
        except VflError as error:
            self._absent(error)
            if failed is not None:
                self._lost()
            return None
        self.reasons = job.reasons
        with self._lock:
            self._open_jobs += failed is None
            self._absence = "down"  # should it go again
        if time.monotonic() - sent <= self._in_time:
            self._succeeded()
        return job

    def _absent(self, error: VflError) -> None:
        """Note why no job opens; people are told when that has changed."""
        before, self._absence = self._absence, absence(error)
        level = logging.INFO if self._absence in (before, "down") else logging.WARNING
        log.log(level, "%s: no job can be opened: %s", self.name, error)

    def _lost(self) -> None:
        """Count one job less, and keep nobody waiting where it was the last."""
        with self._lock:
            self._open_jobs -= 1
            if not self._open_jobs:
                self._refuse_waiting()

    def _leave(self, job: RemotePart | None) -> None:
        if job is not None:
            try:
                job.close()
            except VflError as error:
                log.info("%s: %s", self.name, error)

    def _refuse_waiting(self) -> None:
        while self._waiting:
            question = self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                question.answer.set_exception(PeerError(f"no job with {self.name} is open"))

    def _succeeded(self) -> None:
        if self._breaker.success():
            log.warning("%s answers in time again", self.name)

    def _failed(self, why: str) -> None:
        if self._breaker.failure():
            log.warning("%s is not waited for: %s", self.name, why)
            with self._lock:
                self._busy.notify_all()


def absence(error: VflError) -> PartnerState:
    """Return the state of a partner with whom no job opens, by why."""
    if isinstance(error, AwaitingApproval):
        return "waiting"
    code = error.peer_code if isinstance(error, PeerRefused) else error.code
    return "refused" if code == NotAllowed.code else "down"
