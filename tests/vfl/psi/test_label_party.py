"""Both parties of an alignment, joined by real bytes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vfl.errors import MalformedMessage, NotAligned, OutOfRange, ParameterError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.psi import messages as m
from vfl.psi.alignment import Alignment, Mode
from vfl.psi.feature_party import AlignmentWorker
from vfl.psi.group import hash_to_group, mask, new_scalar
from vfl.psi.identifiers import PreparedIdentifiers, Recipe, prepare
from vfl.psi.label_party import align
from vfl.wire.channel import LoopbackChannel
from vfl.wire.message import Message
from vfl.wire.session import FeatureSession, Handler, LabelSession, loopback_receiver

RECIPE = Recipe.parse(["customer: nfkc strip upper"])


class Store:
    """Keeps alignments in memory, as a party's store keeps them in files."""

    def __init__(self) -> None:
        self.kept: dict[str, Alignment] = {}

    def save_alignment(self, alignment: Alignment) -> None:
        self.kept[alignment.id] = alignment


class Wiretap(LoopbackChannel):
    """A loopback that remembers every frame that passed."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.frames: list[bytes] = []

    def exchange(self, peer: str, frame: bytes) -> bytes:
        reply = super().exchange(peer, frame)
        self.frames += [frame, reply]
        return reply


def prepared(*keys: str, recipe: Recipe = RECIPE) -> PreparedIdentifiers:
    return prepare({"customer": list(keys)}, recipe)


def connect(handlers: Mapping[str, Handler]) -> tuple[Wiretap, dict[str, LabelSession]]:
    channel = Wiretap(
        {p: loopback_receiver(PROTOCOL, FeatureSession(PROTOCOL, "job"), h) for p, h in handlers.items()}
    )
    return channel, {peer: LabelSession(channel, peer, "job") for peer in handlers}


def run(
    own: PreparedIdentifiers, mode: Mode = "left", **theirs: PreparedIdentifiers
) -> tuple[dict[str, Alignment], dict[str, Alignment]]:
    """Return the alignments as the label party and as each feature party keeps them."""
    stores = {peer: Store() for peer in theirs}
    workers = {peer: AlignmentWorker(ids, stores[peer], peer="bank") for peer, ids in theirs.items()}
    _, sessions = connect({peer: worker.handle for peer, worker in workers.items()})
    kept = align(sessions, own, "spring", mode)
    return kept, {peer: store.kept["spring"] for peer, store in stores.items()}


def same_rows(ours: Alignment, theirs: Alignment) -> bool:
    return (ours.identifiers, ours.fingerprint, ours.key, ours.mode) == (
        theirs.identifiers,
        theirs.fingerprint,
        theirs.key,
        theirs.mode,
    )


sets = st.sets(st.text("abcdé雨0123 ", min_size=1, max_size=6).map(lambda t: t.strip().upper()), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sets, sets)
def test_the_intersection_is_the_sets(left: set[str], right: set[str]) -> None:
    """What two parties align is Python's intersection of their sets, and both keep the same."""
    left, right = left | {"BOTH", "ONLY LEFT"}, right | {"BOTH", "ONLY RIGHT"}
    left.discard("")
    right.discard("")
    ours, theirs = run(prepared(*left), telco=prepared(*right))
    assert set(ours["telco"].identifiers) == left & right
    assert len(ours["telco"].identifiers) == len(left & right)
    assert same_rows(ours["telco"], theirs["telco"])
    assert (ours["telco"].peer, theirs["telco"].peer) == ("telco", "bank")


def test_left_keeps_a_pairwise_alignment_for_each_of_two_peers() -> None:
    """In mode left each feature party aligns with all the customers that it shares with the bank."""
    bank = [f"C{i}" for i in range(40)]
    ours, theirs = run(prepared(*bank), telco=prepared(*bank[:30], "X"), payments=prepared("Y", *bank[:4:-1]))
    assert set(ours["telco"].identifiers) == set(bank[:30])
    assert set(ours["payments"].identifiers) == set(bank[5:])
    assert all(same_rows(ours[peer], theirs[peer]) for peer in ours)


def test_inner_keeps_the_customers_that_all_three_know_in_one_order() -> None:
    """In mode inner every party holds the same identifiers in the same order, under keys of their own."""
    bank = [f"C{i}" for i in range(40)]
    ours, theirs = run(
        prepared(*bank), "inner", telco=prepared(*bank[:30], "X"), payments=prepared("Y", *bank[:4:-1])
    )
    assert set(ours["telco"].identifiers) == set(bank[5:30])
    assert ours["telco"].identifiers == ours["payments"].identifiers
    assert ours["telco"].key != ours["payments"].key
    assert all(same_rows(ours[peer], theirs[peer]) for peer in ours)


def test_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files larger than a message align the same, and progress ends at the total."""
    monkeypatch.setattr("vfl.psi.label_party.CHUNK_ROWS", 7)
    bank, telco = [f"C{i}" for i in range(50)], [f"C{i}" for i in range(25, 60)]
    seen: list[tuple[int, int, str]] = []
    _, sessions = connect({"telco": AlignmentWorker(prepared(*telco), Store(), peer="bank").handle})
    ours = align(sessions, prepared(*bank), "spring", "left", lambda *step: seen.append(step))
    assert set(ours["telco"].identifiers) == set(bank[25:])
    assert seen == sorted(seen)
    assert seen[-1] == (85, 85, "telco")


def test_the_order_tells_nothing_of_either_file() -> None:
    """The agreed order is neither file's, and another alignment of the same files has another one."""
    keys = [f"C{i:03}" for i in range(100)]
    first, _ = run(prepared(*keys), telco=prepared(*keys))
    second, _ = run(prepared(*keys), telco=prepared(*keys))
    orders = [run_["telco"].identifiers for run_ in (first, second)]
    assert orders[0] != orders[1]
    assert keys not in orders
    assert all(abs(np.corrcoef([keys.index(k) for k in o], range(100))[0, 1]) < 0.6 for o in orders)


def test_alignments_made_together_share_one_order() -> None:
    """Customers that two feature parties know stand in the same order at both, and at the same places."""
    bank = [f"C{i}" for i in range(60)]
    ours, theirs = run(prepared(*bank), telco=prepared(*bank[:50]), payments=prepared(*bank[10:]))
    at = {peer: dict(zip(kept.identifiers, kept.places, strict=True)) for peer, kept in ours.items()}
    both = set(at["telco"]) & set(at["payments"])
    assert len(both) == 40
    assert {key: at["telco"][key] for key in both} == {key: at["payments"][key] for key in both}
    for kept in ours.values():
        assert kept.places == sorted(kept.places)
    assert all(kept.places == [] for kept in theirs.values())


def test_no_identifier_on_the_wire() -> None:
    """No frame holds an identifier of either party, common or not, nor its unmasked point."""
    bank, telco = ["ALICE-0001", "BOB-0002", "CAROL-0003"], ["BOB-0002", "CAROL-0003", "DAVE-0004"]
    channel, sessions = connect({"telco": AlignmentWorker(prepared(*telco), Store(), peer="bank").handle})
    align(sessions, prepared(*bank), "spring")
    sent = b"".join(channel.frames)
    assert len(channel.frames) == 8
    for key in {*bank, *telco}:
        assert key.encode() not in sent
        assert hash_to_group([key]) not in sent


def test_both_write_the_key_their_own_way() -> None:
    """Keys that the recipe makes equal align, however each party writes them."""
    ours, _ = run(prepared(" c１23", "x9"), telco=prepared("C123 ", "Y9"))
    assert ours["telco"].identifiers == ["C123"]


def test_nothing_in_common_is_refused_with_advice() -> None:
    """An empty intersection is an error that says what to check, and the feature party keeps nothing."""
    with pytest.raises(NotAligned, match="recipe"):
        run(prepared("A"), telco=prepared("B"))


def test_another_recipe_is_refused() -> None:
    """A feature party with another recipe refuses at once and names both recipes."""
    other = prepared("A", recipe=Recipe.parse(["customer: strip"]))
    with pytest.raises(PeerRefused, match="same recipe") as refused:
        run(prepared("A"), telco=other)
    assert refused.value.peer_code == "not_aligned"


def test_no_peer_is_refused() -> None:
    """Aligning with nobody is a mistake of the caller."""
    with pytest.raises(ParameterError):
        align({}, prepared("A"), "spring")


class Peer:
    """A feature party that answers honestly but for the replies it is given to spoil."""

    def __init__(self, *keys: str, **spoil) -> None:
        self._worker = AlignmentWorker(prepared(*keys), Store(), peer="bank")
        self._spoil = spoil

    def handle(self, message: Message) -> Message:
        reply = self._worker.handle(message)
        spoil = self._spoil.get(type(message).__name__)
        return spoil(reply) if spoil else reply


def other_point(reply: m.PointsMasked | m.PointsFetched) -> Message:
    return type(reply)(mask(hash_to_group(["Z"]), new_scalar()) * (len(reply.points) // 32))


@pytest.mark.parametrize(
    ("request_name", "spoil", "error", "says"),
    [
        ("OpenAlignment", lambda r: m.AlignmentOpened(0), OutOfRange, "announced 0"),
        ("OpenAlignment", lambda r: m.AlignmentOpened(2**31), OutOfRange, "announced"),
        ("MaskPoints", lambda r: m.PointsMasked(r.points[32:]), MalformedMessage, "number of points"),
        ("MaskPoints", lambda r: m.PointsMasked(bytes(len(r.points))), MalformedMessage, "canonical"),
        ("MaskPoints", other_point, MalformedMessage, "same point twice"),
        ("FetchPoints", lambda r: m.PointsFetched(r.points + r.points), MalformedMessage, "number of points"),
        ("FetchPoints", lambda r: m.PointsFetched(b"\xff" * len(r.points)), MalformedMessage, "canonical"),
        ("FetchPoints", other_point, MalformedMessage, "same point twice"),
        ("FixAlignment", lambda r: m.AlignmentFixed(r.rows, bytes(32)), NotAligned, "other rows"),
        ("FixAlignment", lambda r: m.AlignmentFixed(r.rows + 1, r.fingerprint), NotAligned, "other rows"),
    ],
)
def test_unusable_answers_are_refused(request_name, spoil, error, says) -> None:
    """Whatever a peer answers that cannot be right stops the alignment with a sentence."""
    _, sessions = connect({"telco": Peer("A", "B", "C", **{request_name: spoil}).handle})
    with pytest.raises(error, match=says):
        align(sessions, prepared("A", "B", "C", "D"), "spring")
