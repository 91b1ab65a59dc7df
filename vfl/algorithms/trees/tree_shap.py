"""What each column contributed to a row's margin: exact path-dependent TreeSHAP from direction bits.

The players are columns: all splits of a column are one player, whoever holds it. A tree's value for a set
S of players is the mean of its leaves when a row takes its own side at the splits of S, and either side
by its fraction of the cover at others (Lundberg et al., From local explanations to global understanding with
explainable AI for trees, Nature Machine Intelligence 2, 2020, 56-67). Which side a row takes is all that
this asks of a row, so the label party computes it from the answers of scoring.

A leaf's part of that value is a product over the players on its path, and the Shapley value of a product
is an integral (Owen, Multilinear extensions of games, 1972). With the one fraction ``o`` (1 where the row
takes the path at all splits of the player, else 0) and the zero fraction ``z`` (the cover that does):

    phi_i = leaf * integral over t in [0, 1] of (o_i - z_i) * prod over j != i of (t o_j + (1 - t) z_j)

The integrand is a polynomial in t, of a degree below the number of players on the path, for which
Gauss-Legendre quadrature is exact. Its terms over all leaves share their factors and are summed edge by
edge of the trees (Wettenstein, Mitchell & Yu, Quadrature-TreeSHAP, arXiv:2605.04497). Unlike the
recurrences of TreeSHAP this subtracts no large numbers from each other.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.parts import LEAF, Tree, TreesLabelPart
from vfl.arrays import Bool, Float64
from vfl.errors import NotAligned, StateError

BLOCK = 2**21  # numbers in one array of a block of rows (16 MiB); a few such arrays exist at once


class _Edge(NamedTuple):
    """The way from a node to one of its children, and the player that is asked there."""

    depth: int  # of the child
    parent: int  # the edge above
    previous: int  # the last edge above of the same player
    player: int
    split: int  # row of the sides
    goes_left: bool
    cover: float  # the child's fraction of its parent's cover
    before: float  # zero fraction of the player above this edge
    value: float  # of a leaf below, 0 where there is another node
    reach: float  # fraction of the tree's cover that comes down here
    players: int  # on the path down to the child

    @property
    def after(self) -> float:
        """Zero fraction of the player below this edge."""
        return self.before * self.cover


# The edge into every root, number 0: all rows follow it and nobody is asked.
ROOT = _Edge(0, 0, 0, 0, 0, True, cover=1.0, before=1.0, value=0.0, reach=1.0, players=0)


class Contributions:
    """The contributions of columns to margins, with all made ready that does not depend on a row.

    With E edges in all trees and at most D columns on a path, a row costs about 5 E D operations and the
    tables kept 24 E D bytes: 2 MB for 100 trees of depth 6.

    Args:
        part: the label party's part.

    Raises:
        StateError: a node with a cover of 0 is split, so that no fraction of it goes either way (a
            ``min_child_weight`` of 0 allows it; XGBoost stops there with a failed check).
    """

    def __init__(self, part: TreesLabelPart) -> None:
        edges = _edges(part)
        self._features = len(part.columns) + sum(len(peer.shown) for peer in part.peers)
        self._sides = 1 + len(part.splits) + sum(len(peer.split_column) for peer in part.peers)
        self._parent = np.array([edge.parent for edge in edges], dtype=np.int64)
        self._previous = np.array([edge.previous for edge in edges], dtype=np.int64)
        self._split = np.array([edge.split for edge in edges], dtype=np.int64)
        self._goes_left = np.array([[edge.goes_left] for edge in edges], dtype=np.bool_)
        self._value = np.array([[edge.value] for edge in edges], dtype=np.float64)
        ends = np.cumsum(np.bincount([edge.depth for edge in edges])).tolist()
        self._levels = [slice(start, end) for start, end in itertools.pairwise(ends)]
        player = np.array([edge.player for edge in edges[1:]], dtype=np.int64)
        self._by_player = 1 + np.argsort(player, kind="stable")
        self._players, self._first = np.unique(np.sort(player), return_index=True)
        self._factor, self._change = _tables(edges)
        self._bias = float(LOSSES[part.params.objective].margin(part.base_score))
        self._bias += sum(float(np.float32(tree.value[0])) for tree in part.trees if tree.owner[0] == LEAF)
        self._bias += sum(edge.value * edge.reach for edge in edges)

    def contributions(self, sides: Bool) -> tuple[Float64, float]:
        """The contributions to the margins of rows.

        Args:
            sides: bool [splits of all owners + 1, n], from `vfl.algorithms.trees.predictor.Predictor.gather`.

        Returns:
            float64 [n, features], the label party's columns first, then each feature party's; and the
            bias, the mean margin by cover. A row's contributions and the bias sum to its margin. They are
            what XGBoost's ``pred_contribs`` computes in float32 from the merged model.

        Raises:
            NotAligned: sides of another model.
        """
        if len(sides) != self._sides:
            raise NotAligned(f"The model has {self._sides - 1} splits, the sides given are of another")
        n_rows = sides.shape[1]
        contributions = np.zeros((n_rows, self._features), dtype=np.float64)
        step = max(1, 3 * BLOCK // self._factor.size)
        for start in range(0, n_rows, step):
            block = slice(start, start + step)
            by_edge = self._by_edge(sides[:, block])[self._by_player]
            contributions[block, self._players] = np.add.reduceat(by_edge, self._first, axis=0).T
        return contributions, self._bias

    def _by_edge(self, sides: Bool) -> Float64:
        """What each edge adds to the contribution of its player: float64 [edges, rows]."""
        follows = sides[self._split] == self._goes_left
        for level in self._levels:
            follows[level] &= follows[self._previous[level]]
        case = 3 * np.arange(len(follows))[:, None] + follows[self._previous] + follows
        below = self._factor.take(case, axis=1)  # [nodes of the quadrature, edges, rows]
        for level in self._levels:
            below[:, level] *= below.take(self._parent[level], axis=1)
        below *= self._value
        for level in reversed(self._levels[1:]):
            children = below[:, level]
            below[:, self._parent[level][::2]] = children[:, ::2] + children[:, 1::2]
        below *= self._change.take(case, axis=1)
        by_edge: Float64 = below.sum(axis=0)
        return by_edge


def _edges(part: TreesLabelPart) -> list[_Edge]:
    """`ROOT`, then the edges of all trees by depth; the two below a node are neighbours, left first."""
    counts = [1, len(part.splits), *(len(peer.split_column) for peer in part.peers)]
    first_split = np.cumsum(counts)[:-1].tolist()
    widths = [0, len(part.columns), *(len(peer.shown) for peer in part.peers)]
    columns = [part.splits.feature, *(peer.split_column for peer in part.peers)]
    players = [
        [first + column for column in of_owner]
        for first, of_owner in zip(np.cumsum(widths)[:-1].tolist(), columns, strict=True)
    ]
    edges = [ROOT]
    for tree in part.trees:
        _add_edges(edges, tree, first_split, players)
    order = sorted(range(len(edges)), key=lambda number: edges[number].depth)
    place = {number: position for position, number in enumerate(order)}
    by_depth = (edges[number] for number in order)
    return [edge._replace(parent=place[edge.parent], previous=place[edge.previous]) for edge in by_depth]


def _add_edges(edges: list[_Edge], tree: Tree, first_split: list[int], players: list[list[int]]) -> None:
    cover = np.array(tree.cover, dtype=np.float32).tolist()
    value = np.array(tree.value, dtype=np.float32).tolist()
    above = {0: 0}  # the edge into a node
    last: dict[int, dict[int, int]] = {0: {}}  # by node: the last edge above of each player
    for node, (owner, split) in enumerate(zip(tree.owner, tree.split, strict=True)):
        if owner == LEAF:
            continue
        if cover[node] <= 0:
            raise StateError(
                "No reasons for a split of a node with cover 0: train with a higher min_child_weight"
            )
        player = players[owner][split]
        previous = last[node].get(player, 0)
        for child, goes_left in ((tree.left[node], True), (tree.left[node] + 1, False)):
            above[child], last[child] = len(edges), last[node] | {player: len(edges)}
            part = cover[child] / cover[node]
            edges.append(
                _Edge(
                    depth=edges[above[node]].depth + 1,
                    parent=above[node],
                    previous=previous,
                    player=player,
                    split=first_split[owner] + split,
                    goes_left=goes_left,
                    cover=part,
                    before=edges[previous].after,
                    value=value[child] if tree.owner[child] == LEAF else 0.0,
                    reach=edges[above[node]].reach * part,
                    players=len(last[child]),
                )
            )


def _tables(edges: list[_Edge]) -> tuple[Float64, Float64]:
    """What a step down an edge changes, by its case: two tables [nodes of the quadrature, 3 edges].

    The case counts what holds: the row agrees with the edges above of the same player; and with this one.
    The first table has the player's factor below the edge divided by that above. The second has the same
    difference of ``(o - z) / factor``, times the node's weight: along a path these sum to that of the
    player's last edge. No divisor is 0, as t is neither 0 nor 1.
    """
    most = max(edge.players for edge in edges)
    nodes, weights = np.polynomial.legendre.leggauss(max(1, (most + 1) // 2))  # exact up to degree most - 1
    t, weight = (nodes[:, None] + 1) / 2, weights[:, None, None] / 2
    cover = np.array([edge.cover for edge in edges])
    before = np.array([edge.before for edge in edges])
    after = np.array([edge.after for edge in edges])
    above, below = t + (1 - t) * before, t + (1 - t) * after  # factors of a row that agrees
    old = (1 - before) / above
    factor = [np.broadcast_to(cover, above.shape), (1 - t) * after / above, below / above]
    change = [np.zeros_like(above), -1 / (1 - t) - old, (1 - after) / below - old]
    n_nodes = len(t)
    return (
        np.stack(factor, axis=2).reshape(n_nodes, -1),
        (weight * np.stack(change, axis=2)).reshape(n_nodes, -1),
    )
