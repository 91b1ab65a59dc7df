"""A job as each side holds it: who, which state, and the number of the last request.

``FeatureSession`` turns frames into requests and replies into frames; ``LabelSession`` is a
conversation with one peer. Both walk the same table.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from vfl.errors import MalformedMessage, OutOfSequence, PeerError, PeerRefused, Replayed, VflError
from vfl.wire import messages as m
from vfl.wire.channel import Channel
from vfl.wire.codec import Envelope, decode_reply, decode_request, encode
from vfl.wire.states import REPLIES, State, next_state

_Reply = TypeVar("_Reply", bound=m.Message)

Handler = Callable[[m.Message], m.Message]
"""What answers the requests of one job at the feature party."""


def new_job() -> str:
    """Return a fresh job name: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


class FeatureSession:
    """The feature party's side of one job.

    A request that is malformed, replayed, out of order or not allowed in this state is refused and
    changes nothing. The last request may come again, byte for byte: it gets the same answer without the work
    being done twice, so that a reply lost on the way loses no job. A request that its handler refuses ends
    the job.

    Args:
        job: name of the job.
        state, sequence: where the job stands; the defaults are a new job's.
    """

    def __init__(self, job: str, state: State = State.NEW, sequence: int = 0) -> None:
        self.job = job
        self.state = state
        self.sequence = sequence
        self._lock = threading.Lock()
        self._last: _Answered | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is being worked on."""
        return self._lock.locked()

    def end(self) -> None:
        """Answer nothing more; waits for a request that is being worked on."""
        with self._lock:
            self.state, self._last = State.FAILED, None

    def answer(self, envelope: Envelope[m.Request], handler: Handler) -> Envelope[m.Reply]:
        """Return the reply to one request, a :class:`~vfl.wire.messages.Refusal` included in none.

        A repetition that comes while the request is still being worked on waits for its answer.

        Raises:
            Replayed, OutOfSequence: refused at the door; the job goes on.
            VflError: the handler refused; the job has failed.
        """
        with self._lock:
            if self._last and self._last.request == envelope:
                return self._last.again()
            if envelope.sequence <= self.sequence:
                raise Replayed(f"request {envelope.sequence} of this job was already answered")
            if envelope.sequence != self.sequence + 1:
                raise OutOfSequence(f"request {envelope.sequence} came where {self.sequence + 1} was due")
            after = next_state(self.state, type(envelope.body))
            try:
                reply = handler(envelope.body)
            except BaseException as error:
                self.state = State.FAILED
                refused = error.with_traceback(None) if isinstance(error, VflError) else None
                self._last = _Answered(envelope, refused)
                raise
            self.state, self.sequence = after, envelope.sequence
            answer = Envelope(self.job, envelope.sequence, cast(m.Reply, reply), envelope.contract)
            self._last = _Answered(envelope, answer)
            return answer


class _Answered(NamedTuple):
    """The last request of a job, and how it was answered; an error of no family is not kept."""

    request: Envelope[m.Request]
    outcome: Envelope[m.Reply] | VflError | None

    def again(self) -> Envelope[m.Reply]:
        if isinstance(self.outcome, Envelope):
            return self.outcome
        raise self.outcome or OutOfSequence("this job has failed; open a new job")


class LabelSession:
    """The label party's side of one job with one peer.

    Args:
        channel: carries the frames.
        peer: name of the feature party.
        job: name of the job; a fresh one by default.
        contract: digest of the contract that the job is under.
    """

    def __init__(self, channel: Channel, peer: str, job: str | None = None, *, contract: bytes = b"") -> None:
        self.peer = peer
        self.contract = contract
        self.job = job or new_job()
        self._channel = channel
        self._state = State.NEW
        self._sequence = 0
        self._lock = threading.Lock()

    def ask(self, request: m.Message, reply_type: type[_Reply]) -> _Reply:
        """Send a request and return its reply.

        Raises:
            PeerRefused: the peer answered with a refusal.
            MalformedMessage, OutOfSequence: the answer is not the reply to this request.
            PeerUnreachable: from the channel.
        """
        if REPLIES[type(request)] is not reply_type:
            raise TypeError(f"{type(request).__name__} is answered by {REPLIES[type(request)].__name__}")
        with self._lock:
            after = next_state(self._state, type(request))
            self._sequence += 1
            envelope = Envelope(self.job, self._sequence, cast(m.Request, request), self.contract)
            answer = decode_reply(self._channel.exchange(self.peer, encode(envelope)))
            if isinstance(answer.body, m.Refusal):
                self._state = State.FAILED
                raise PeerRefused(self.peer, answer.body.code, answer.body.text)
            if (answer.job, answer.sequence) != (self.job, self._sequence):
                raise OutOfSequence(f"{self.peer} answered another request than the one it was asked")
            if not isinstance(answer.body, reply_type):
                raise MalformedMessage(
                    f"{self.peer} answered {type(answer.body).__name__} where {reply_type.__name__} was due"
                )
            self._state = after
            return answer.body


def refusal(error: VflError, envelope: Envelope[m.Request] | None) -> Envelope[m.Reply]:
    """Return the reply that tells the peer of an error.

    A peer's own fault is explained to it in full; of ours it hears only that there was one.
    """
    ours = "this party could not do its part; see its log"
    text = str(error)[:2_000] if isinstance(error, PeerError) else ours
    job, sequence, contract = (
        (envelope.job, envelope.sequence, envelope.contract) if envelope else ("unknown", 1, b"")
    )
    return Envelope(job, sequence, m.Refusal(error.code, text), contract)


def loopback_receiver(session: FeatureSession, handler: Handler) -> Callable[[bytes], bytes]:
    """Return a function from request frame to reply frame, for :class:`LoopbackChannel`."""

    def receive(frame: bytes) -> bytes:
        envelope = None
        try:
            envelope = decode_request(frame)
            return encode(session.answer(envelope, handler))
        except VflError as error:
            return encode(refusal(error, envelope))

    return receive
