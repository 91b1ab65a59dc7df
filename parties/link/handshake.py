"""A label party's side of the handshake with a peer, once before the first message."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parties.telemetry.versions import version_of
from vfl.wire.channel import Channel
from vfl.wire.handshake import SPOKEN, Hello, Welcome, agree, decode_welcome, encode_handshake


class Handshake(NamedTuple):
    """The peer's answer, and how far its clock is ahead of ours, at most ``round_trip`` / 2 off; seconds."""

    welcome: Welcome
    clock: float
    round_trip: float


def shake_hands(
    channel: Channel,
    peer: str,
    alignments: Mapping[str, bytes] | None = None,
    public: str | None = None,
    versions: Sequence[int] = SPOKEN,
) -> Handshake:
    """Send a Hello to a peer, and compare versions.

    Args:
        alignments: fingerprints by name that the peer shall compare with its own.
        public: this party's identity, 64 hex digits, that the peer shall compare with the configured one.
        versions: of the protocol, that this party offers.

    Raises:
        VersionMismatch: there is no version that both speak.
        PeerRefused, PeerUnreachable, MalformedMessage: as their names say.
    """
    sent = time.time()
    identity = bytes.fromhex(public) if public else None
    hello = Hello(list(versions), version_of("vfl"), dict(alignments or {}), identity)
    welcome = decode_welcome(peer, channel.exchange(peer, encode_handshake(hello)))
    received = time.time()
    agree(peer, welcome.versions, welcome.package, version_of("vfl"))
    return Handshake(welcome, welcome.time - (sent + received) / 2, received - sent)


class HandshakeChannel:
    """A channel that shakes hands with each peer before the first message to it.

    Args:
        channel: carries the frames.
        versions: of the protocol, that this party offers.
    """

    def __init__(self, channel: Channel, versions: Sequence[int] = SPOKEN) -> None:
        self._channel, self._versions = channel, versions
        self._met: set[str] = set()
        self._lock = threading.Lock()

    def exchange(self, peer: str, frame: bytes) -> bytes:
        if peer not in self._met:
            shake_hands(self._channel, peer, versions=self._versions)
            with self._lock:
                self._met.add(peer)
        return self._channel.exchange(peer, frame)
