"""An owner in this process moves its rows and sums its smaller child as it is told."""

import numpy as np
import pytest

from vfl.algorithms.trees.columns import (
    Direction,
    Gradients,
    LevelRequest,
    LocalColumns,
    LocalTable,
    NodeRows,
    OwnerNodes,
    Split,
    goes_left,
)


def ramp(sampled=None):
    """Ten rows in ten bins, of gradient 1 to 10 and hessian 1; the owner has all but the first two."""
    sampled = np.ones(10, bool) if sampled is None else sampled
    bins = np.arange(2, 10, dtype=np.uint8)[:, None]
    table = LocalTable(bins, np.array([10]), np.arange(2, 10))
    owner = LocalColumns(table, Gradients(np.arange(1, 11), np.ones(10, np.int64), sampled))
    return owner, OwnerNodes(np.array([0]), NodeRows(sampled[table.rows_in_label_table]))


def test_root_sums_hold_the_rows_of_the_owner_alone():
    """Rows that the owner does not have are in none of its bins."""
    owner, nodes = ramp()
    assert owner.root_sums(nodes)[:, 0].tolist() == [0, 0, 3, 4, 5, 6, 7, 8, 9, 10]


def test_own_split_gives_directions_and_the_smaller_childs_sums():
    """A split after bin 3 sends two of eight rows left, and these are the ones summed."""
    owner, nodes = ramp()
    reply = owner.level(nodes, LevelRequest(splits=[Split(0, 0, 1, 0, 3, False)], siblings=[1]))
    assert reply.directions[0].tolist() == [True, True] + [False] * 6
    assert list(reply.sums) == [1]
    assert reply.sums[1][:, 0].tolist() == [0, 0, 3, 4, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["directions", "applied"])
def test_the_left_child_is_summed_on_a_tie_of_sampled_rows(kind):
    """Rows that were drawn out move, but count neither for size nor for sums."""
    sampled = np.ones(10, bool)
    sampled[[2, 3]] = False  # of the owner's rows 0 to 7, these are the first two
    owner, nodes = ramp(sampled)
    go_left = np.array([True] * 5 + [False] * 3)
    reply = owner.level(nodes, LevelRequest(siblings=[1], **{kind: [Direction(0, 1, go_left)]}))
    assert reply.directions == {}
    assert reply.sums[1][:, 0].tolist() == [0, 0, 0, 0, 5, 6, 7, 0, 0, 0]


def test_the_smaller_child_is_known_before_rows_move():
    """It is the one that is smaller once they have moved, with the same rows."""
    rng = np.random.default_rng(0)
    for chance in (0.1, 0.5, 0.5, 0.9):
        nodes, go_left = NodeRows(rng.random(20) < 0.7), rng.random(20) < chance
        child, rows = nodes.smaller_child_after(Direction(0, 1, go_left))
        nodes.split(0, 1, go_left)
        assert child == nodes.smaller_child(1)
        np.testing.assert_array_equal(rows, nodes.sampled(child))


def test_rows_of_a_node_stay_ascending_down_the_tree():
    """However a node is split, each child's rows are in ascending order and none is lost."""
    rng = np.random.default_rng(0)
    nodes = NodeRows(np.ones(100, bool))
    nodes.split(0, 1, rng.random(100) < 0.5)
    nodes.split(2, 3, rng.random(len(nodes[2])) < 0.5)
    assert 0 not in nodes
    assert 4 in nodes
    leaves = [nodes[node] for node in (1, 3, 4)]
    assert all((np.diff(rows) > 0).all() for rows in leaves)
    assert np.array_equal(np.sort(np.concatenate(leaves)), np.arange(100))


@pytest.mark.parametrize("default_left", [True, False])
@pytest.mark.parametrize("bin_", [-1, 0, 2])
def test_direction_is_by_bin_and_by_default_where_missing(bin_, default_left):
    """Codes up to the bin go left; the missing code goes where the default says."""
    codes = np.array([0, 1, 2, 3], dtype=np.uint8)  # 3 is the missing code of three bins
    expected = [code <= bin_ for code in (0, 1, 2)] + [default_left]
    assert goes_left(codes, 3, bin_, default_left).tolist() == expected
