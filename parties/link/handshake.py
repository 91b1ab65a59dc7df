"""A label party's end of the handshake: it greets each peer once, before the first message."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from parties.telemetry.versions import version_of
from vfl.wire.channel import Channel
from vfl.wire.handshake import SPOKEN, Hello, Welcome, agree, decode_welcome, encode_handshake


class Greeting(NamedTuple):
    """What a peer said, and how far its clock is ahead of ours, at most ``round_trip`` / 2 off; seconds."""

    welcome: Welcome
    clock: float
    round_trip: float


def greet(
    channel: Channel,
    peer: str,
    alignments: Mapping[str, bytes] | None = None,
    public: str | None = None,
) -> Greeting:
    """Say Hello to a peer.

    Args:
        alignments: fingerprints by name that the peer shall compare with its own.
        public: this party's identity, 64 hex digits, that the peer shall compare with the configured one.

    Raises:
        VersionMismatch: there is no version that both speak.
        PeerRefused, PeerUnreachable, MalformedMessage: as their names say.
    """
    sent = time.time()
    known = bytes.fromhex(public) if public else None
    hello = Hello(list(SPOKEN), version_of("vfl"), dict(alignments or {}), known)
    welcome = decode_welcome(peer, channel.exchange(peer, encode_handshake(hello)))
    received = time.time()
    agree(peer, welcome.versions, welcome.package, version_of("vfl"))
    return Greeting(welcome, welcome.time - (sent + received) / 2, received - sent)


class HandshakeChannel:
    """A channel that greets each peer before the first message to it.

    Args:
        channel: carries the frames.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._greeted: set[str] = set()
        self._lock = threading.Lock()

    def exchange(self, peer: str, frame: bytes) -> bytes:
        if peer not in self._greeted:
            greet(self._channel, peer)
            with self._lock:
                self._greeted.add(peer)
        return self._channel.exchange(peer, frame)
