"""Checks that need an answer: from each peer of a label party, from a feature party's own server.

Each peer gets one Hello, which opens no job.
"""

from __future__ import annotations

from collections.abc import Iterator

from parties.config import Config
from parties.config.settings import Peer
from parties.doctor.findings import Finding, fault
from parties.keys import identity, tls
from parties.ledger.entries import Ledger
from parties.link.channels import channel_for_handshakes
from parties.link.handshake import shake_hands
from parties.link.transport import HttpsChannel, is_healthy
from parties.storage import database
from parties.storage.model_store import ModelStore
from vfl.errors import PeerUnreachable, VflError
from vfl.wire.channel import Channel
from vfl.wire.handshake import Welcome

ANSWER_SECONDS = 10.0
CLOCK_SECONDS = 30.0
"""Clocks that differ by more make contracts and certificates end at different moments."""

ALIGNMENTS = 16
"""How many of the newest alignments a peer compares."""


def grants(config: Config) -> Iterator[Finding]:
    """Check what a feature party lets its peers ask, and whether its server is the one configured."""
    for name, peer in config.peers.items():
        if not peer.allow:
            yield Finding(f"peer {name}", "warning", "it may ask for nothing", f"set peers.{name}.allow")
        else:
            yield Finding(f"peer {name}", "ok", f"it may {', '.join(peer.allow)}")
        yield from _pinned(name, peer)
    if not config.peers:
        yield Finding("peers", "warning", "nobody is configured", "vfl party add-peer")
    yield _server(config)


def _server(config: Config) -> Finding:
    """Check the health of this party's own server, over its certificate of today."""
    certificate, server = tls.files_of(config).certificate, config.server
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104
    url = f"https://{host}:{server.port}"
    try:
        if is_healthy(config, url, tls.fingerprint_of_file(certificate), ANSWER_SECONDS):
            return Finding("server", "ok", f"it answers at {url}")
        text = f"what answers at {url} is no party's server"
    except PeerUnreachable:
        text = f"it does not answer at {url}, or with another certificate"
    return Finding("server", "warning", text, "start it: vfl party serve; or restart it")


def peers(config: Config) -> Iterator[Finding]:
    """Check every peer of a label party with one handshake."""
    if not config.peers:
        yield Finding("peers", "warning", "nobody is configured", "vfl party add-peer")
        return
    with HttpsChannel(config, ANSWER_SECONDS) as https:
        channel = channel_for_handshakes(https, Ledger(database.connect(config)))
        for name in config.peers:
            try:
                yield from _peer(config, name, channel)
            except VflError as error:
                yield fault(f"peer {name}", error)


def _peer(config: Config, name: str, channel: Channel) -> Iterator[Finding]:
    """Shake hands with a peer, and check its answer."""
    about = f"peer {name}"
    alignments = ModelStore(config).fingerprints(name, ALIGNMENTS)
    own = identity.load(config).public if identity.file_of(config).exists() else None
    handshake = shake_hands(channel, name, alignments, own)
    welcome, ahead = handshake.welcome, handshake.clock
    text = f"reached in {1e3 * handshake.round_trip:.0f} ms, package {welcome.package}, protocol"
    yield Finding(about, "ok", f"{text} {', '.join(map(str, welcome.versions))}; certificate as configured")
    yield from _identities(config, name, welcome)
    if config.peers[name].next_fingerprint:
        remedy = f"once it has changed over: vfl party expect {config.directory} {name} --only"
        yield Finding(about, "warning", "two certificates of it are accepted", remedy)
    if abs(ahead) - handshake.round_trip / 2 > CLOCK_SECONDS:
        text = f"its clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
        yield Finding(about, "warning", text, "set both clocks by NTP")
    missing = [kind for kind in ("align", "train", "score") if kind not in welcome.allow]
    if missing:
        text = f"it does not allow us to {', '.join(missing)}"
        yield Finding(about, "warning", text, "ask its people to set allow, if you need it")
    else:
        yield Finding(about, "ok", f"it allows us to {', '.join(welcome.allow)}")
    for alignment, state in welcome.alignments.items():
        if state == "same":
            yield Finding(about, "ok", f"alignment {alignment} is the same on both sides")
        else:
            what = "it does not have" if state == "unknown" else "it has another"
            yield Finding(about, "warning", f"{what} alignment {alignment}", "align again: vfl align")


def _pinned(name: str, peer: Peer) -> Iterator[Finding]:
    if peer.identity is None:
        remedy = f"write the identity that `vfl party show` prints there into [peers.{name}]"
        yield Finding(f"peer {name}", "fault", "no identity of it is configured: no contract with it", remedy)


def _identities(config: Config, name: str, welcome: Welcome) -> Iterator[Finding]:
    """Compare what each side signs with to what the other side has configured."""
    about, pinned = f"peer {name}", config.peers[name].identity
    yield from _pinned(name, config.peers[name])
    if welcome.identity is None:
        yield Finding(about, "fault", "it has no key to sign with", "its people run `vfl party identity`")
    elif pinned is not None and welcome.identity.hex() != pinned.lower():
        remedy = f"compare with what `vfl party show` prints there, and correct [peers.{name}]"
        yield Finding(about, "fault", "it signs with another identity than the configured one", remedy)
    elif pinned is not None and welcome.known == "same":
        yield Finding(about, "ok", "each side has the identity of the other")
    if welcome.known != "same":
        which = "no" if welcome.known == "unknown" else "another"
        remedy = "its people put what `vfl party show` prints here into party.toml, and restart"
        yield Finding(about, "fault", f"it has {which} identity of ours configured", remedy)
