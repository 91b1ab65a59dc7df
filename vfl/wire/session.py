"""A job as each side holds it: who, which state, and the number of the last request.

``FeatureSession`` holds a job to the steps of the protocol; ``LabelSession`` is a conversation with one peer.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from vfl.errors import MalformedMessage, OutOfSequence, PeerError, PeerRefused, Replayed, VflError
from vfl.wire.channel import Channel
from vfl.wire.codec import Envelope, decode_answer, encode
from vfl.wire.message import Message, Refusal
from vfl.wire.protocol import FAILED, NEW, Protocol

_Reply = TypeVar("_Reply", bound=Message)

Handler = Callable[[Message], Message]
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
        protocol: says which request may come when.
        job: name of the job.
        state, sequence: where the job stands; the defaults are a new job's.
    """

    def __init__(self, protocol: Protocol, job: str, state: str = NEW, sequence: int = 0) -> None:
        self._protocol = protocol
        self.job = job
        self.state = state
        self.sequence = sequence
        self._lock = threading.Lock()
        self._last: _Answered | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is in progress."""
        return self._lock.locked()

    def end(self) -> None:
        """End the job: refuses later requests, and waits for the one in progress."""
        with self._lock:
            self.state, self._last = FAILED, None

    def answer(self, envelope: Envelope[Message], handler: Handler) -> Envelope[Message]:
        """Return the reply to one request; no reply is a :class:`~vfl.wire.messages.Refusal`.

        A repetition that comes while the request is still in progress waits for its answer.

        Raises:
            Replayed, OutOfSequence: refused before the handler; the job continues.
            VflError: the handler refused; the job has failed.
        """
        with self._lock:
            if self._last and self._last.request == envelope:
                return self._last.again()
            if envelope.sequence <= self.sequence:
                raise Replayed(f"request {envelope.sequence} of this job was already answered")
            if envelope.sequence != self.sequence + 1:
                raise OutOfSequence(f"request {envelope.sequence} came where {self.sequence + 1} was due")
            after = self._protocol.next_state(self.state, type(envelope.body))
            try:
                reply = handler(envelope.body)
            except BaseException as error:
                self.state = FAILED
                refused = error.with_traceback(None) if isinstance(error, VflError) else None
                self._last = _Answered(envelope, refused)
                raise
            self.state, self.sequence = after, envelope.sequence
            answer = Envelope(self.job, envelope.sequence, reply, envelope.contract)
            self._last = _Answered(envelope, answer)
            return answer


class _Answered(NamedTuple):
    """The last request of a job and its outcome: None for an error that is no `VflError`."""

    request: Envelope[Message]
    outcome: Envelope[Message] | VflError | None

    def again(self) -> Envelope[Message]:
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
        self._sequence = 0
        self._lock = threading.Lock()

    def ask(self, request: Message, reply_type: type[_Reply]) -> _Reply:
        """Send a request and return its reply.

        Raises:
            PeerRefused: the peer answered with a refusal.
            MalformedMessage, OutOfSequence: the answer is not the reply to this request.
            PeerUnreachable: from the channel.
        """
        with self._lock:
            self._sequence += 1
            envelope = Envelope(self.job, self._sequence, request, self.contract)
            answer = decode_answer(self._channel.exchange(self.peer, encode(envelope)), reply_type)
            if isinstance(answer.body, Refusal):
                raise PeerRefused(self.peer, answer.body.code, answer.body.text)
            if (answer.job, answer.sequence) != (self.job, self._sequence):
                raise OutOfSequence(f"{self.peer} answered another request than the one it was asked")
            if not isinstance(answer.body, reply_type):
                raise MalformedMessage(f"{self.peer} answered with another message than the one that was due")
            return answer.body


def refusal(error: VflError, envelope: Envelope[Message] | None) -> Envelope[Message]:
    """Return the reply that tells the peer of an error.

    A peer's own fault is explained to it in full; of ours it hears only that there was one.
    """
    ours = "this party could not do its part; see its log"
    text = str(error)[:2_000] if isinstance(error, PeerError) else ours
    job, sequence, contract = (
        (envelope.job, envelope.sequence, envelope.contract) if envelope else ("unknown", 1, b"")
    )
    return Envelope(job, sequence, Refusal(error.code, text), contract)


def loopback_receiver(
    protocol: Protocol, session: FeatureSession, handler: Handler
) -> Callable[[bytes], bytes]:
    """Return a function from request frame to reply frame, for :class:`LoopbackChannel`."""

    def receive(frame: bytes) -> bytes:
        envelope = None
        try:
            envelope = protocol.decode_request(frame)
            return encode(session.answer(envelope, handler))
        except VflError as error:
            return encode(refusal(error, envelope))

    return receive
