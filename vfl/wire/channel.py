"""What moves frames. The one real channel is HTTPS, in ``parties``; the loopback serves tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Channel(Protocol):
    """Carries one frame to a named peer and brings back its answer.

    Calls for different peers may run at the same time.
    """

    def exchange(self, peer: str, frame: bytes) -> bytes:
        """Return the peer's reply frame.

        Raises:
            PeerUnreachable: no connection, no answer in time, or a wrong certificate.
        """
        ...


class LoopbackChannel:
    """Hands frames to functions in this process: real bytes, no network.

    Args:
        receivers: for each peer, the function that turns a request frame into a reply frame.
    """

    def __init__(self, receivers: Mapping[str, Callable[[bytes], bytes]]) -> None:
        self._receivers = receivers

    def exchange(self, peer: str, frame: bytes) -> bytes:
        return self._receivers[peer](frame)
