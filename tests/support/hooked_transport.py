"""A transport that a test looks into: it acts before, or after, the first message of a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parties.ledger.entries import Heading, heading
from parties.link.transport import HttpsChannel
from vfl.trace import Span

Act = Callable[[Heading], Any]


class HookedTransport:
    """An `HttpsChannel`, or another transport, with acts on the first message of a kind.

    Args:
        transport: carries the frames.
        kind: name of the kind of message.
        before, after: acts once before the message is sent, or after its answer came.
    """

    def __init__(
        self, transport: HttpsChannel, kind: str, *, before: Act | None = None, after: Act | None = None
    ) -> None:
        self._transport, self._kind, self._before, self._after = transport, kind, before, after
        self.later: list[str] | None = None
        """Kinds of the messages after that one; None until it came."""

    def exchange(self, peer: str, frame: bytes) -> bytes:
        head = heading(frame)
        if self.later is not None:
            self.later.append(head.kind)
            return self._transport.exchange(peer, frame)
        if head.kind != self._kind:
            return self._transport.exchange(peer, frame)
        self.later = []
        if self._before:
            self._before(head)
        answer = self._transport.exchange(peer, frame)
        if self._after:
            self._after(head)
        return answer

    def spans(self) -> dict[str, list[Span]]:
        return self._transport.spans()

    def close(self) -> None:
        self._transport.close()
