"""Both ends of the handshake: a label party greets each peer once, a feature party answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from parties import identity
from parties.config import Config
from parties.local import PeerStore
from parties.rows import Source
from parties.versions import version_of
from vfl.errors import StateError
from vfl.wire.channel import Channel
from vfl.wire.handshake import (
    SPOKEN,
    Agreement,
    Hello,
    Welcome,
    agree,
    decode_hello,
    decode_welcome,
    encode_handshake,
)


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


def answer(config: Config, source: Source, peer: str, frame: bytes) -> bytes:
    """Return a feature party's answer to a Hello.

    Raises:
        VersionMismatch: there is no version that both speak.
        MalformedMessage, TooLarge: it is no Hello.
    """
    hello = decode_hello(frame)
    agree(peer, hello.versions, hello.package, version_of("vfl"))
    store = PeerStore(config, peer, source)
    known = {name: _compare(store, name, fingerprint) for name, fingerprint in hello.alignments.items()}
    allow = [str(permission) for permission in config.peers[peer].allow]
    own = bytes.fromhex(identity.load(config).public) if identity.file_of(config).exists() else None
    pinned = _pinned(config.peers[peer].identity, hello.identity)
    welcome = Welcome(list(SPOKEN), version_of("vfl"), time.time(), allow, known, own, pinned)
    return encode_handshake(welcome)


class GreetingChannel:
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


def _pinned(configured: str | None, told: bytes | None) -> Agreement:
    if configured is None or told is None:
        return "unknown"
    return "same" if bytes.fromhex(configured) == told else "different"


def _compare(store: PeerStore, name: str, fingerprint: bytes) -> Agreement:
    if not store.has("alignment", name):
        return "unknown"
    try:
        return "same" if store.load_alignment(name).fingerprint == fingerprint else "different"
    except StateError:
        return "different"
