"""A feature party's side of a job, phase by phase.

A phase is an object that is made whole and knows everything that it needs. It answers some kinds of requests,
each with a reply and the phase that follows. So no request can find a worker half made, whatever comes when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from vfl.errors import OutOfSequence
from vfl.wire.message import Message

_Method = TypeVar("_Method", bound=Callable[..., Any])

Answer = tuple[Message, "Phase"]
"""A reply, and the phase after it; the same one where nothing changes."""


def answers(request: type[Message]) -> Callable[[_Method], _Method]:
    """Mark the method of a phase that answers a kind of request."""

    def mark(method: _Method) -> _Method:
        method.answered_request = request  # type: ignore[attr-defined]
        return method

    return mark


class Phase:
    """One phase of a job; methods marked with `answers` take a request and return an `Answer`."""

    _methods: ClassVar[dict[type[Message], str]] = {}

    def __init_subclass__(cls) -> None:
        own = {
            method.answered_request: name
            for name, method in vars(cls).items()
            if hasattr(method, "answered_request")
        }
        cls._methods = cls._methods | own

    def answer(self, request: Message) -> Answer:
        """Return the reply to a request and the next phase.

        Raises:
            OutOfSequence: the phase has no answer to this kind of request.
            PeerError, LocalError: from the method that answers.
        """
        name = self._methods.get(type(request))
        if name is None:
            expected = ", ".join(sorted(kind.__name__ for kind in self._methods)) or "a new job"
            raise OutOfSequence(f"{type(request).__name__} cannot come now; expected {expected}")
        answer: Answer = getattr(self, name)(request)
        return answer


class Ended(Phase):
    """After the last request."""


class Worker:
    """Answers the requests of one job.

    Args:
        phase: the first.
    """

    def __init__(self, phase: Phase) -> None:
        self._phase = phase

    def handle(self, request: Message) -> Message:
        """Return the reply to a request; raises what the phase raises, which then stays as it is."""
        reply, self._phase = self._phase.answer(request)
        return reply
