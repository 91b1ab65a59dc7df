"""A feature party's end of the handshake: its answer to a peer that says Hello."""

from __future__ import annotations

from parties.config import Config
from parties.data.rows import Source
from parties.keys import identity
from parties.storage.peer_store import PeerStore
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from parties.telemetry.versions import version_of
from vfl.errors import StateError
from vfl.wire.handshake import SPOKEN, Agreement, Welcome, agree, decode_hello, encode_handshake


def answer(config: Config, source: Source, peer: str, frame: bytes, clock: Clock = SYSTEM_CLOCK) -> bytes:
    """Return a feature party's answer to a Hello.

    Args:
        clock: the time that the peer compares its own with.

    Raises:
        VersionMismatch: there is no version that both speak.
        MalformedMessage, TooLarge: it is no Hello.
    """
    hello = decode_hello(frame)
    agree(peer, hello.versions, hello.package, version_of("vfl"))
    store = PeerStore(config, peer, source)
    alignments = {name: _compare(store, name, fingerprint) for name, fingerprint in hello.alignments.items()}
    allow = [str(permission) for permission in config.peers[peer].allow]
    own = bytes.fromhex(identity.load(config).public) if identity.file_of(config).exists() else None
    pinned = _pinned(config.peers[peer].identity, hello.identity)
    reply = Welcome(list(SPOKEN), version_of("vfl"), clock(), allow, alignments, own, pinned)
    return encode_handshake(reply)


def _compare(store: PeerStore, name: str, fingerprint: bytes) -> Agreement:
    if not store.has("alignment", name):
        return "unknown"
    try:
        return "same" if store.load_alignment(name).fingerprint == fingerprint else "different"
    except StateError:
        return "different"


def _pinned(configured: str | None, shown: bytes | None) -> Agreement:
    if configured is None or shown is None:
        return "unknown"
    return "same" if bytes.fromhex(configured) == shown else "different"
