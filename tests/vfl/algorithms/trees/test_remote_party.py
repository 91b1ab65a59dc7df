"""A feature party as the grower sees it: what it answers is held against what it was asked."""

from types import SimpleNamespace

import numpy as np
import pytest

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.aggregation.packed_sums import SumOpener
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import Direction, LevelRequest, NodeRows, OwnerNodes, Split
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.algorithms.trees.remote_party import RemoteColumns, RemoteParty
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.errors import MalformedMessage, PeerRefused
from vfl.wire.channel import LoopbackChannel
from vfl.wire.message import Column
from vfl.wire.protocol import Protocol
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

LIMBS = 64
PROTOCOL = Protocol([m.CONVERSATION])
PACKING = GradientPacking(10, 8, 1.0, 1.0)
ROWS = np.array([9, 4, 7, 1, 0, 3])
"""By the party's own row the label party's row."""

SAMPLED = np.arange(10) != 4
"""By the label party's row: all but the party's own row 1."""

OPENED = m.TrainingOpened([Column("income", 2), Column("", 3)], 1)


@pytest.fixture(scope="module")
def key(private_key):
    """Return who encrypts and who opens."""
    opener = SumOpener(private_key.public_key, Decryptor(private_key), PACKING)
    return SimpleNamespace(encryptor=Encryptor(private_key), opener=opener)


class Peer:
    """A feature party that answers with what it is told to, and notes what it was asked."""

    def __init__(self, key, state):
        self.replies, self.requests = [], []
        feature = FeatureSession(PROTOCOL, "job", state)
        channel = LoopbackChannel({"telco": loopback_receiver(PROTOCOL, feature, self.answer)})
        self.party = RemoteParty(LabelSession(channel, "telco", "job"), ROWS, key.opener, OPENED)

    def answer(self, request):
        self.requests.append(request)
        if isinstance(request, m.Gradients):
            return m.GradientsTaken(0)
        return self.replies.pop(0)


@pytest.fixture
def peer(key):
    """Return a party whose tree is growing."""
    return Peer(key, "growing")


class Encrypted:
    """Stands for the ciphertexts of rows: each names its row."""

    def ciphertexts(self, rows):
        return np.repeat(rows.astype(np.uint64)[:, None], LIMBS, axis=1)


def columns(peer):
    return RemoteColumns(peer.party, 3, Encrypted(), SAMPLED)


def nodes(*drawn):
    return OwnerNodes(np.array(drawn or (0, 1)), NodeRows(SAMPLED[ROWS]))


def ciphertext(key, count, pairs):
    """Return what a party sends for sums of up to ``count`` rows."""
    width = PACKING.slot_bits(count)
    packed = sum(((g << PACKING.h_bits) + h) << (width * place) for place, (g, h) in enumerate(pairs))
    plain = np.frombuffer(packed.to_bytes(160, "little", signed=True), "<u8")[None]
    return key.encryptor.encrypt(plain.astype(np.uint64)).astype("<u8").tobytes()


PAIRS = [(1, 2), (-3, 4), (5, 6), (-7, 8), (9, 10)]


def test_a_column_without_a_name_has_its_number(peer):
    """Names are those that the party shows, under the party's own."""
    assert peer.party.names == ["telco.income", "telco.1"]
    assert peer.party.n_bins.tolist() == [2, 3]


def test_a_refused_opening_reaches_the_label_party(peer, key):
    """A job that is open already is not opened again, and there is no party to train with."""
    opening = m.OpenTraining("m", "a", bytes(32), b"", b"", b"k", 1, 1, 1.0, 1.0, 4, 3, 5)
    with pytest.raises(PeerRefused):
        RemoteParty.open(peer.party.session, ROWS, key.opener, opening)


def test_closing_says_how_many_trees_stand(peer):
    """The party keeps its splits of these."""
    peer.replies = [m.TrainingClosed(2)]
    peer.party.close(7)
    assert peer.requests == [m.CloseTraining(7)]


def test_the_root_is_summed_over_the_sampled_rows_that_the_party_has(peer, key):
    """Their ciphertexts go out in the party's order, and its sums come back in units of fixed point."""
    root = m.LevelGrown([], [m.NodeSums(0, ciphertext(key, 5, PAIRS))])
    peer.replies = [m.TreeOpened(5), root]
    assert columns(peer).root_sums(nodes()).tolist() == [list(pair) for pair in PAIRS]
    opening, gradients, last = peer.requests
    assert (opening.tree, opening.columns) == (3, [0, 1])
    assert from_bitmap(opening.rows, 6).tolist() == [True, False, True, True, True, True]
    assert np.frombuffer(gradients.ciphertexts, "<u8").reshape(-1, LIMBS)[:, 0].tolist() == [9, 7, 1, 0, 3]
    assert last == m.SumRoot()


def test_a_tree_has_the_bins_of_its_own_columns_alone(peer, key):
    """Where one column is drawn, as many sums come as it has bins."""
    peer.replies = [m.TreeOpened(5), m.LevelGrown([], [m.NodeSums(0, ciphertext(key, 5, PAIRS[:3]))])]
    assert columns(peer).root_sums(nodes(1)).tolist() == [list(pair) for pair in PAIRS[:3]]
    assert peer.requests[0].columns == [1]


@pytest.mark.parametrize(
    ("counted", "root", "text"),
    [
        (6, [m.NodeSums(0, b"")], "counts other rows"),
        (5, [m.NodeSums(1, b"")], "summed other nodes"),
        (5, [], "summed other nodes"),
        (5, [m.NodeSums(0, b""), m.NodeSums(1, b"")], "summed other nodes"),
        (5, [m.NodeSums(0, b"")], "another number of sums"),
    ],
    ids=["other rows", "another node", "no node", "a node too many", "a root that is withheld"],
)
def test_a_root_that_was_not_asked_for_is_refused(peer, counted, root, text):
    """The party counts the rows that were sampled and sums the root, which it cannot withhold."""
    peer.replies = [m.TreeOpened(counted), m.LevelGrown([], root)]
    with pytest.raises(MalformedMessage, match=text):
        columns(peer).root_sums(nodes())


def test_a_party_without_a_sampled_row_has_zero_sums(key):
    """Neither side sends a ciphertext."""
    peer = Peer(key, "growing")
    peer.replies = [m.TreeOpened(0), m.LevelGrown([], [m.NodeSums(0, b"")])]
    nobody = np.zeros(10, bool)
    owner = RemoteColumns(peer.party, 0, Encrypted(), nobody)
    none = OwnerNodes(np.array([0, 1]), NodeRows(nobody[ROWS]))
    assert not owner.root_sums(none).any()
    assert [type(request) for request in peer.requests] == [m.OpenTree, m.SumRoot]


SPLIT = Split(0, 0, 1, 1, 2, False)
GO_LEFT = np.array([True, True, True, False, False, False])
"""Two sampled rows go left and three right: the left child is summed."""


def test_a_level_brings_directions_and_the_sums_of_the_smaller_child(peer, key):
    """The directions are those of every row, the sums those of the sampled rows."""
    peer.replies = [
        m.LevelGrown(
            [m.Directions(0, 1, to_bitmap(GO_LEFT))], [m.NodeSums(1, ciphertext(key, 2, PAIRS[:1] * 5))]
        )
    ]
    reply = columns(peer).level(nodes(), LevelRequest(splits=[SPLIT], siblings=[1]))
    assert peer.requests == [m.GrowLevel([SPLIT], [], [1])]
    assert reply.directions[0].tolist() == GO_LEFT.tolist()
    assert {child: numbers.tolist() for child, numbers in reply.sums.items()} == {1: [[1, 2]] * 5}
    assert (reply.withheld, peer.party.disclosure) == (frozenset(), DisclosureReport(1, 0))


def test_directions_of_others_reach_the_party_by_its_own_rows(peer, key):
    """The bitmap has a bit for each of its rows in the node, and the smaller child follows from it."""
    peer.replies = [m.LevelGrown([], [m.NodeSums(2, ciphertext(key, 2, PAIRS))])]
    move = Direction(0, 1, ~np.array([True, True, True, False, False, False]))
    reply = columns(peer).level(nodes(), LevelRequest(directions=[move], siblings=[1]))
    assert peer.requests == [m.GrowLevel([], [m.Directions(0, 1, to_bitmap(move.go_left))], [1])]
    assert list(reply.sums) == [2]


def test_sums_that_the_party_withholds_are_zero_and_counted(peer):
    """The grower learns of which node, and the report how many over the whole training."""
    level = LevelRequest(directions=[Direction(0, 1, GO_LEFT)], siblings=[1])
    for withheld in (1, 2):
        peer.replies = [m.LevelGrown([], [m.NodeSums(1, b"")])]
        reply = columns(peer).level(nodes(), level)
        assert reply.withheld == {1}
        assert not reply.sums[1].any()
        assert peer.party.disclosure == DisclosureReport(coarser=1, withheld=withheld)


def test_a_child_without_rows_is_not_withheld(peer):
    """Its sums are zero because there is nothing to sum."""
    peer.replies = [m.LevelGrown([], [m.NodeSums(1, b"")])]
    nobody_left = Direction(0, 1, np.zeros(6, bool))
    reply = columns(peer).level(nodes(), LevelRequest(directions=[nobody_left], siblings=[1]))
    assert reply.withheld == frozenset()
    assert not reply.sums[1].any()
    assert peer.party.disclosure.withheld == 0


LEFT = m.Directions(0, 1, to_bitmap(GO_LEFT))


@pytest.mark.parametrize(
    ("directions", "children", "text"),
    [
        ([], [1], "directions for other nodes"),
        ([m.Directions(2, 1, LEFT.go_left)], [1], "directions for other nodes"),
        ([LEFT, LEFT], [1], "directions for other nodes"),
        ([m.Directions(0, 1, bytes(2))], [1], "a bitmap of 2 bytes"),
        ([m.Directions(0, 1, b"\xff")], [1], "beyond its last row"),
        ([LEFT], [2], "summed other nodes"),
        ([LEFT], [], "summed other nodes"),
        ([LEFT], [1, 2], "summed other nodes"),
    ],
    ids=[
        "no directions",
        "of another node",
        "twice",
        "too many rows",
        "a row that is not there",
        "the larger child",
        "no child",
        "both children",
    ],
)
def test_a_level_that_was_not_asked_for_is_refused(peer, directions, children, text):
    """An answer holds the nodes that were asked for, in their order, and nothing else."""
    peer.replies = [m.LevelGrown(directions, [m.NodeSums(child, b"") for child in children])]
    with pytest.raises(MalformedMessage, match=text):
        columns(peer).level(nodes(), LevelRequest(splits=[SPLIT], siblings=[1]))


def test_sums_for_other_columns_than_the_trees_are_refused(peer, key):
    """More ciphertexts than the bins of the drawn columns need are no sums of them."""
    peer.replies = [m.LevelGrown([LEFT], [m.NodeSums(1, ciphertext(key, 2, PAIRS) * 2)])]
    with pytest.raises(MalformedMessage, match="another number of sums"):
        columns(peer).level(nodes(), LevelRequest(splits=[SPLIT], siblings=[1]))
