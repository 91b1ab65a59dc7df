"""The handshake between real servers: what a peer tells, and that no job begins without it."""

from __future__ import annotations

from typing import Any

import pytest

from parties.config import Config
from parties.data.rows import Source
from parties.keys import identity
from parties.ledger.entries import Ledger
from parties.link.handshake import HandshakeChannel, shake_hands
from parties.link.transport import HttpsChannel
from parties.storage import database
from parties.storage.peer_store import PeerStore
from vfl.errors import PeerRefused, PeerUnreachable, VersionMismatch
from vfl.psi import messages as m
from vfl.psi.alignment import Alignment
from vfl.wire.handshake import SPOKEN, Welcome, encode_handshake
from vfl.wire.session import LabelSession

OPENING = m.OpenAlignment("a1", "left", ["customer_id: strip upper"], 200)


def test_a_hello_tells_clock_permissions_and_alignments(
    bank: Config, bureau: Config, serve: Any, join: Any
) -> None:
    """A peer tells clock, identity and permissions, and whether our alignments and identity are known."""
    alignment = Alignment.fix("a1", "bank", "left", b"k" * 32, ["C1", "C2"])
    PeerStore(bureau, "bank", Source(bureau)).save_alignment(alignment)
    PeerStore(bureau, "other", Source(bureau)).save_alignment(
        Alignment.fix("a3", "other", "left", b"k" * 32, [])
    )
    asked = {"a1": alignment.fingerprint, "a3": alignment.fingerprint}
    with HttpsChannel(join(bank, bureau, serve(bureau))) as channel:
        found = shake_hands(channel, "bureau", asked, identity.load(bank).public)
        again = shake_hands(channel, "bureau", {"a1": b"x" * 32}, "5" * 64)
    assert abs(found.clock) < 5
    assert found.welcome.versions == list(SPOKEN)
    assert found.welcome.allow == ["align", "train", "score", "export"]
    assert found.welcome.alignments == {"a1": "same", "a3": "unknown"}
    assert again.welcome.alignments == {"a1": "different"}
    assert found.welcome.identity == bytes.fromhex(identity.load(bureau).public)
    assert (found.welcome.known, again.welcome.known) == ("same", "different")


def test_a_stranger_is_told_nothing(make_party: Any, bureau: Config, serve: Any, join: Any) -> None:
    """Neither a certificate that nobody configured nor a peer that is allowed nothing learns a version."""
    stranger = make_party("stranger", "label")
    with (
        HttpsChannel(join(stranger, bureau, serve(bureau))) as channel,
        pytest.raises(PeerRefused, match="unknown_peer"),
    ):
        shake_hands(channel, "bureau")


def test_the_first_message_to_a_peer_is_a_hello(
    bank: Config, bureau: Config, serve: Any, join: Any, signed: Any
) -> None:
    """Every conversation begins with one handshake, and the feature party's ledger has it."""
    with HttpsChannel(join(bank, bureau, serve(bureau))) as https:
        channel = HandshakeChannel(https)
        for name in ("a1", "a2"):
            opening = m.OpenAlignment(name, "left", ["customer_id: strip upper"], 200)
            contract = signed(bank, bureau, "align", alignment=name)
            LabelSession(channel, "bureau", contract=contract).ask(opening, m.AlignmentOpened)
    totals = {
        (total.kind, total.outcome): total.messages for total in Ledger(database.connect(bureau)).totals()
    }
    assert totals == {("Hello", "ok"): 1, ("OpenAlignment", "ok"): 2}


def test_an_incompatible_label_party_is_refused(bank: Config, bureau: Config, serve: Any, join: Any) -> None:
    """A label party of another version is told what both sides speak, and the ledger has it."""
    said = r"\(version\): bank speaks protocol 7 .* upgrade the older one"
    with (
        HttpsChannel(join(bank, bureau, serve(bureau))) as https,
        pytest.raises(PeerRefused, match=said),
    ):
        LabelSession(HandshakeChannel(https, versions=[7]), "bureau").ask(OPENING, m.AlignmentOpened)
    assert {(t.kind, t.outcome) for t in Ledger(database.connect(bureau)).totals()} == {("Hello", "version")}


def test_an_incompatible_feature_party_gets_no_job() -> None:
    """A label party opens nothing at a peer whose Welcome names other versions."""
    sent = []

    class Later:
        def exchange(self, peer: str, frame: bytes) -> bytes:
            sent.append(frame)
            return encode_handshake(Welcome([9], "9.0", 0.0))

    with pytest.raises(VersionMismatch, match=r"bureau speaks protocol 9 \(package 9.0\)"):
        LabelSession(HandshakeChannel(Later()), "bureau").ask(OPENING, m.AlignmentOpened)
    assert len(sent) == 1


def test_a_handshake_that_failed_is_done_again() -> None:
    """A Hello without an answer is said again before the next message."""
    answers: list[bytes | None] = [None, encode_handshake(Welcome(list(SPOKEN), "1", 0.0)), b"reply"]

    class Flaky:
        def exchange(self, peer: str, frame: bytes) -> bytes:
            answer = answers.pop(0)
            if answer is None:
                raise PeerUnreachable("down")
            return answer

    channel = HandshakeChannel(Flaky())
    with pytest.raises(PeerUnreachable):
        channel.exchange("bureau", b"ask")
    assert channel.exchange("bureau", b"ask") == b"reply"
