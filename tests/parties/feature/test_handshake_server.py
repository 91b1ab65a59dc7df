"""The answer to a Hello: versions, clock, grants, and whether both sides hold the same."""

from __future__ import annotations

from typing import Any

import pytest

from parties.data.rows import Source
from parties.feature import handshake_server
from parties.keys import identity
from parties.storage.peer_store import PeerStore
from vfl.errors import VersionMismatch
from vfl.wire.handshake import SPOKEN, Hello, Welcome, decode_welcome, encode_handshake


def welcome(pair: Any, hello: Hello) -> Welcome:
    frame = encode_handshake(hello)
    source = Source(pair.bureau)
    return decode_welcome(
        "bureau", handshake_server.answer(pair.bureau, source, "bank", frame, lambda: 1_700_000_000.5)
    )


def test_a_peer_hears_what_it_may_ask(pair: Any) -> None:
    """With the versions and the clock of this party, and its identity."""
    reply = welcome(pair, Hello(list(SPOKEN), "1"))
    assert reply.versions == list(SPOKEN)
    assert reply.time == 1_700_000_000.5
    assert "score" in reply.allow
    assert reply.identity == bytes.fromhex(identity.load(pair.bureau).public)
    assert reply.known == "unknown"


def test_identities_and_alignments_are_compared(pair: Any) -> None:
    """The same, another one, or one that this party does not hold."""
    own = PeerStore(pair.bureau, "bank", Source(pair.bureau)).load_alignment("a1").fingerprint
    public = bytes.fromhex(identity.load(pair.bank).public)
    hello = Hello(list(SPOKEN), "1", {"a1": own, "a2": own}, public)
    assert welcome(pair, hello).alignments == {"a1": "same", "a2": "unknown"}
    assert welcome(pair, hello).known == "same"
    other = Hello(list(SPOKEN), "1", {"a1": bytes(32)}, bytes(32))
    assert welcome(pair, other).alignments == {"a1": "different"}
    assert welcome(pair, other).known == "different"


def test_a_peer_of_other_versions_is_refused(pair: Any) -> None:
    """There is nothing that both would understand."""
    frame = encode_handshake(Hello([250], "9"))
    with pytest.raises(VersionMismatch):
        handshake_server.answer(pair.bureau, Source(pair.bureau), "bank", frame)
