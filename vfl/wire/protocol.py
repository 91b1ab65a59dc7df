"""Which messages there are, in which order a job brings them, and what each reveals.

A subject, such as alignment or an algorithm, has one conversation: a table of steps, and a sentence for each
message. A protocol is made of conversations. ``docs/protocol.md`` draws its diagram from the same tables, and
a feature party refuses whatever they do not list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vfl.errors import OutOfSequence
from vfl.wire.codec import Envelope, decode, decode_answer, decoder_of
from vfl.wire.message import Message

NEW, CLOSED, FAILED = "new", "closed", "failed"
"""States of a job that every conversation has: before its opening, after its end, and failed."""

GENERAL_REVEALS = {
    "Hello": "which release the label party runs",
    "Welcome": "the same of the feature party; its clock; what it allows this peer",
    "Refusal": "what the label party did wrong, in full; of the feature party's own faults only that there "
    "was one",
}
"""By kind of message, what those reveal that belong to no conversation."""


@dataclass(frozen=True)
class Step:
    """A request that may come while a job is in a state, what answers it, and the state that follows."""

    before: str
    request: type[Message]
    reply: type[Message]
    after: str


@dataclass(frozen=True)
class Conversation:
    """The messages of one subject.

    Attributes:
        steps: in the order in which a job takes them.
        reveals: for each message what it tells its receiver, in words for ledgers and for people.
    """

    steps: tuple[Step, ...]
    reveals: Mapping[type[Message], str]

    @property
    def openings(self) -> tuple[type[Message], ...]:
        """Requests that begin a job."""
        return tuple(step.request for step in self.steps if step.before == NEW)


class Protocol:
    """The messages of some conversations, with their bytes and their order. It can be added to.

    Attributes:
        reply_names: by kind of request, the kind of message that answers it.
        closings: kinds of requests that end a job.
    """

    def __init__(self, conversations: Iterable[Conversation] = ()) -> None:
        self._steps: list[Step] = []
        self._reveals = dict(GENERAL_REVEALS)
        self._after: dict[tuple[str, type[Message]], str] = {}
        self._replies: dict[type[Message], type[Message]] = {}
        self.reply_names: dict[str, str] = {}
        self.closings: frozenset[str] = frozenset()
        for conversation in conversations:
            self.add(conversation)

    def add(self, conversation: Conversation) -> None:
        """Add a conversation.

        Raises:
            ValueError: a kind of message is part of the protocol already, or has no sentence.
        """
        kinds = {kind for step in conversation.steps for kind in (step.request, step.reply)}
        if duplicates := sorted(kind.__name__ for kind in kinds if kind.__name__ in self._reveals):
            raise ValueError(f"the protocol has messages of these names already: {', '.join(duplicates)}")
        if kinds != set(conversation.reveals):
            raise ValueError("a conversation says of each of its messages, and of no other, what it reveals")
        self._steps += conversation.steps
        self._reveals |= {kind.__name__: words for kind, words in conversation.reveals.items()}
        self._after = {(step.before, step.request): step.after for step in self._steps}
        self._replies = {step.request: step.reply for step in self._steps}
        self.reply_names = {request.__name__: reply.__name__ for request, reply in self._replies.items()}
        self.closings = frozenset(
            step.request.__name__ for step in self._steps if step.after == CLOSED != step.before
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all conversations."""
        return tuple(self._steps)

    @property
    def states(self) -> tuple[str, ...]:
        """All states of jobs."""
        named = [state for step in self._steps for state in (step.before, step.after)]
        return tuple(dict.fromkeys([*named, FAILED]))

    @property
    def openings(self) -> tuple[type[Message], ...]:
        """Requests that begin a job."""
        return tuple(step.request for step in self._steps if step.before == NEW)

    @property
    def replies(self) -> Mapping[type[Message], type[Message]]:
        """By request, the message that answers it."""
        return self._replies

    @property
    def reveals(self) -> Mapping[str, str]:
        """By kind of message, what it tells its receiver."""
        return self._reveals

    def next_state(self, state: str, request: type[Message]) -> str:
        """Return the state after a request.

        Raises:
            OutOfSequence: no step allows it; the message says what would be accepted.
        """
        after = self._after.get((state, request))
        if after is None:
            expected = [step.request.__name__ for step in self._steps if step.before == state]
            raise OutOfSequence(
                f"{request.__name__} cannot come while the job is {state}; "
                + (f"expected {', '.join(expected)}" if expected else "open a new job")
            )
        return after

    def decode_request(self, frame: bytes) -> Envelope[Message]:
        """Return the request in a frame; raises MalformedMessage, VersionMismatch or TooLarge."""
        return decode(frame, decoder_of(*self._replies))

    def decode_reply(self, frame: bytes) -> Envelope[Message]:
        """Return the reply in a frame, which may be a refusal of any version; raises as `decode_request`."""
        return decode_answer(frame, *dict.fromkeys(self._replies.values()))

    def diagram(self) -> str:
        """Return the steps as a Mermaid state diagram, for ``docs/protocol.md``."""
        lines = ["stateDiagram-v2", f"    [*] --> {NEW}"]
        lines += [f"    {step.before} --> {step.after}: {step.request.__name__}" for step in self._steps]
        return "\n".join([*lines, f"    {CLOSED} --> [*]"])
