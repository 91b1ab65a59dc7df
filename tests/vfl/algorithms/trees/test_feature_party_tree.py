"""One tree at a feature party: rows move as they are told, and what a tree cannot do is refused."""

import numpy as np
import pytest

from vfl.algorithms.trees.columns import Direction, Split
from vfl.algorithms.trees.disclosure_control import DisclosureControl, DisclosurePolicy
from vfl.algorithms.trees.feature_columns import FeatureColumns
from vfl.algorithms.trees.feature_party_tree import FeatureTree
from vfl.errors import OutOfRange, OutOfSequence

ROWS, LIMBS = 12, 3
COLUMNS = np.column_stack([np.arange(ROWS), np.arange(ROWS) % 3, np.arange(ROWS)[::-1]]).astype(np.float32)


class Sums:
    """Stands for the encrypted histogram and for the packer: it names the rows that would be summed."""

    def __init__(self):
        self.positions = []

    def sum_by_bin(self, residues, positions, rows):
        assert np.array_equal(residues[positions, 0], rows)  # each row with its own ciphertext
        self.positions.append(positions.tolist())
        return rows

    def pack(self, sums, count):
        assert count == len(sums)
        return bytes(sums.tolist())


class Tree(FeatureTree):
    """A tree of which the tests see the sums."""

    def __init__(self, *, sampled=None, drawn=(0, 2), node_rows=1, splits=None):
        self.is_sampled = np.ones(ROWS, bool) if sampled is None else sampled
        self.all_splits = [] if splits is None else splits
        self.summed = Sums()
        everyone = np.ones(ROWS, bool)
        table = FeatureColumns.prepare(list("abc"), COLUMNS, everyone, ~everyone, max_bin=16, least=1)
        control = DisclosureControl(DisclosurePolicy(node_rows=node_rows), ROWS).open_tree(self.is_sampled)
        super().__init__(
            table,
            np.array(drawn),
            self.is_sampled,
            np.zeros((int(self.is_sampled.sum()), LIMBS), np.uint64),
            self.summed,
            self.summed,
            control,
            self.all_splits,
        )
        self.store(0, np.repeat(np.flatnonzero(self.is_sampled).astype(np.uint64)[:, None], LIMBS, axis=1))


def split(number=0, node=0, left=1, column=0, bin_=3, default_left=False):
    return Split(number, node, left, column, bin_, default_left)


def low(count, rows=ROWS):
    return np.arange(rows) < count


def test_the_root_sums_every_sampled_row_with_its_own_ciphertext():
    """Ciphertexts are those of sampled rows, so a row's place among them is not its number."""
    tree = Tree(sampled=np.arange(ROWS) % 2 == 1)
    assert tree.rows == 6
    assert list(tree.sums(0)) == [1, 3, 5, 7, 9, 11]
    assert tree.summed.positions == [[0, 1, 2, 3, 4, 5]]


def test_ciphertexts_come_in_pieces():
    """Each piece is kept from the place on that it names, and leaves the others."""
    tree = Tree(sampled=low(4))
    tree.store(2, np.full((2, LIMBS), 9, np.uint64))
    tree.store(2, np.repeat(np.array([2, 3], np.uint64)[:, None], LIMBS, axis=1))
    assert list(tree.sums(0)) == [0, 1, 2, 3]


def test_own_splits_move_rows_and_are_written_down():
    """The directions are those of the column, and every split joins those of the model."""
    earlier = split(0, column=2)
    tree = Tree(splits=[earlier])
    assert tree.apply(split(1)).tolist() == low(4).tolist()
    assert tree.apply(split(2, node=2, left=3, column=2, bin_=1)).tolist() == [False] * 6 + [True] * 2
    assert [list(tree.sums(node)) for node in (1, 3, 4)] == [[0, 1, 2, 3], [10, 11], [4, 5, 6, 7, 8, 9]]
    assert tree.all_splits == [earlier, split(1), split(2, node=2, left=3, column=2, bin_=1)]


def test_another_partys_split_moves_rows_and_is_no_split_of_this_party():
    """Rows go where they are told, and the model has no split of this party for it."""
    tree = Tree()
    go_left = np.arange(ROWS) % 2 == 0
    tree.move(Direction(0, 1, go_left))
    assert [list(tree.sums(node)) for node in (1, 2)] == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    assert tree.all_splits == []


@pytest.mark.parametrize(
    "bad",
    [
        split(column=1),
        split(column=3),
        split(bin_=ROWS),
        split(bin_=-2),
        split(node=5, left=6),
        split(left=0),
        split(node=1, left=3),
    ],
    ids=[
        "a column that was not drawn",
        "no such column",
        "no such bin",
        "a bin below the missing",
        "no such node",
        "a child that is its parent",
        "a node that is not there yet",
    ],
)
def test_a_split_that_the_tree_cannot_have_is_refused(bad):
    """No row moves and no split is written down, and a good split is accepted afterwards."""
    tree = Tree()
    with pytest.raises(OutOfRange):
        tree.apply(bad)
    assert tree.all_splits == []
    assert tree.rows_of(0, 1) == ROWS
    tree.apply(split())


@pytest.mark.parametrize("bin_", [-1, ROWS - 1], ids=["none but the missing", "all that are known"])
def test_a_split_may_be_at_either_end(bin_):
    """Only missing values go left, or only they go right."""
    assert Tree().apply(split(bin_=bin_)).all() == (bin_ >= 0)


@pytest.mark.parametrize("number", [0, 2], ids=["again", "one too far"])
def test_splits_of_a_model_are_numbered_without_gaps(number):
    """A split out of turn would give another meaning to every later one."""
    tree = Tree()
    tree.apply(split())
    with pytest.raises(OutOfSequence, match="split 1 of this model was due"):
        tree.apply(split(number, node=1, left=3))
    assert len(tree.all_splits) == 1


def test_a_node_is_split_once_into_children_that_are_new():
    """A node that is gone, and children that are there, are refused."""
    tree = Tree()
    tree.apply(split())
    for node, left in ((0, 3), (1, 2), (2, 1), (2, 2)):
        with pytest.raises(OutOfRange, match=f"node {node} cannot be split into {left}"):
            tree.rows_of(node, left)
    assert (tree.rows_of(1, 3), tree.rows_of(2, 3)) == (4, 8)


def test_the_smaller_child_counts_sampled_rows_and_is_the_left_on_a_tie():
    """Both parties have to name the same child without a word about it."""
    for go_left, child in ((4, 1), (8, 2), (6, 1)):
        tree = Tree()
        tree.move(Direction(0, 1, low(go_left)))
        assert tree.smaller_child(1) == child
    tree = Tree(sampled=low(4))  # all of the larger left child's rows beyond the fourth are drawn out
    tree.move(Direction(0, 1, np.arange(ROWS) >= 3))
    assert tree.smaller_child(1) == 1


def test_nothing_is_sent_of_a_node_without_sampled_rows():
    """Both parties know that the sums are zero, so there is no ciphertext to make."""
    tree = Tree(sampled=low(4))
    tree.move(Direction(0, 1, low(4)))
    assert tree.sums(2) == b""
    assert tree.summed.positions == []


@pytest.mark.parametrize("siblings", [[1], [5]], ids=["before the split", "no such node"])
def test_sums_of_absent_nodes_are_refused(siblings):
    """Only children that are there are summed."""
    with pytest.raises(OutOfRange, match="not there"):
        Tree().allowed_siblings(siblings)


def test_siblings_are_told_once():
    """The sums of a pair are asked for once, whichever child they are of."""
    tree = Tree()
    tree.apply(split())
    assert tree.allowed_siblings([1]) == [1]
    with pytest.raises(OutOfSequence, match="asked for before"):
        tree.allowed_siblings([1])


def test_below_a_node_of_few_rows_nothing_is_told():
    """The pair of a small node is withheld, and so is all that grows from either of the two."""
    tree = Tree(node_rows=3)
    tree.apply(split(0, bin_=1))
    assert tree.allowed_siblings([1]) == []
    tree.apply(split(1, node=2, left=3, bin_=6))
    assert tree.allowed_siblings([3]) == []
    wide = Tree(node_rows=3)
    wide.apply(split(0, bin_=5))
    assert wide.allowed_siblings([1]) == [1]
