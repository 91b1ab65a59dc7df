"""What the grower asks of whoever holds columns, and the owner that holds them in this process.

Rows are those of the label party, 0 to n - 1. An owner may know only some of them; ``known[i]`` is the
row that its own row i is. Nodes carry the numbers of `vfl.algorithms.trees.parts.Tree`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vfl.algorithms.trees.histogram import node_histogram
from vfl.arrays import Bins, Bool, Float64, Integers
from vfl.trace import span


@dataclass(frozen=True)
class Gradients:
    """What a tree is grown on: fixed-point integers int64 [n], and which rows enter sums.

    Rows outside ``sampled`` (drawn out, or kept for validation) still move through the tree.
    """

    G: Integers
    H: Integers
    sampled: Bool


@dataclass(frozen=True)
class OwnSplit:
    """A split that the asked owner's column won.

    Attributes:
        split: its number among this owner's splits of the whole model, counted from 0 in order.
        node: the node that is split.
        left: the child of rows that go left; the other child is ``left + 1``.
        feature: the owner's own column number.
        bin: rows in bins up to this one go left; -1 where only missing rows do.
        default_left: whether missing rows go left.
    """

    split: int
    node: int
    left: int
    feature: int
    bin: int
    default_left: bool


@dataclass(frozen=True)
class Direction:
    """How the asked owner's rows of a node move for a split that another owner won.

    ``go_left`` has an entry for each of the owner's rows in the node, by ascending own row.
    """

    node: int
    left: int
    go_left: Bool


@dataclass(frozen=True)
class LevelRequest:
    """One question to one owner about one level; splits are applied before sums are made.

    Attributes:
        splits: splits of the level above that this owner won and was not yet told.
        directions: how this owner's rows move where another owner won and sums are wanted below.
        siblings: left children; for each the owner returns the sums of it or of its sibling
            ``left + 1``, whichever has fewer of its own sampled rows, of the left child on a tie.
    """

    splits: list[OwnSplit] = field(default_factory=list)
    directions: list[Direction] = field(default_factory=list)
    siblings: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.splits or self.siblings)


@dataclass(frozen=True)
class LevelReply:
    """The answer to a `LevelRequest`.

    Attributes:
        directions: by node of ``splits``, bool with an entry for each of the owner's rows in the node, by
            ascending own row.
        sums: by child, float64 [sum of n_bins over the tree's features of this owner, 2].
        withheld: children whose sums the owner does not tell, nor those of their siblings; 0 in ``sums``.
    """

    directions: dict[int, Bool] = field(default_factory=dict)
    sums: dict[int, Float64] = field(default_factory=dict)
    withheld: frozenset[int] = frozenset()


class ColumnOwner(Protocol):
    """Columns that trees are grown on, wherever they lie.

    Attributes:
        n_bins: int64, bins of each column, the missing bin not counted.
        known: int64, by own row the label party's row; distinct.
    """

    n_bins: Integers
    known: Integers

    def open_tree(self, gradients: Gradients, features: Integers) -> Float64:
        """Start a tree on some of the columns (ascending own numbers); returns the root's sums."""

    def level(self, request: LevelRequest) -> LevelReply:
        """Apply splits and directions, return directions and sums."""


class NodeRows:
    """Which rows of one owner are in which open node of the tree being grown."""

    def __init__(self, n_rows: int, sampled: Bool) -> None:
        self._rows: dict[int, Integers] = {0: np.arange(n_rows, dtype=np.int64)}
        self._sampled = sampled

    def __contains__(self, node: int) -> bool:
        return node in self._rows

    def __getitem__(self, node: int) -> Integers:
        """The rows of a node, ascending."""
        return self._rows[node]

    def sampled(self, node: int) -> Integers:
        """The rows of a node that enter sums, ascending."""
        rows = self._rows[node]
        return rows[self._sampled[rows]]

    def split(self, node: int, left: int, go_left: Bool) -> None:
        """Replace a node by its children ``left`` and ``left + 1``."""
        rows = self._rows.pop(node)
        self._rows[left], self._rows[left + 1] = rows[go_left], rows[~go_left]

    def smaller_child(self, left: int) -> int:
        """Of the children ``left`` and ``left + 1`` the one with fewer sampled rows; the left on a tie."""
        return left if len(self.sampled(left)) <= len(self.sampled(left + 1)) else left + 1


def goes_left(codes: npt.NDArray[np.integer], n_bins: int, bin_: int, default_left: bool) -> Bool:
    """Which rows a split sends left, given their bins in its column (``n_bins`` being missing)."""
    return np.where(codes == n_bins, default_left, codes.astype(np.int64) <= bin_)


class LocalColumns:
    """The columns of this process: the label party's own, or in tests those of any party.

    Args:
        bins: uint8/uint16 [own rows, columns] from `vfl.algorithms.trees.binning.bin_columns`.
        n_bins: int64 [columns].
        known: int64 [own rows]; None where every row is known, in the label party's order.

    Attributes:
        splits: every split this owner was told, in order of their numbers.
    """

    def __init__(self, bins: Bins, n_bins: Integers, known: Integers | None = None) -> None:
        self.n_bins = n_bins
        self.known = np.arange(len(bins), dtype=np.int64) if known is None else known
        self.splits: list[OwnSplit] = []
        self._bins = bins

    def open_tree(self, gradients: Gradients, features: Integers) -> Float64:
        self._gradients = np.stack([gradients.G[self.known], gradients.H[self.known]]).astype(np.float64)
        self._features = features
        self._nodes = NodeRows(len(self._bins), gradients.sampled[self.known])
        return self._sums(0)

    def level(self, request: LevelRequest) -> LevelReply:
        reply = LevelReply()
        for split in request.splits:
            codes = self._bins[self._nodes[split.node], split.feature]
            go_left = goes_left(codes, int(self.n_bins[split.feature]), split.bin, split.default_left)
            self._nodes.split(split.node, split.left, go_left)
            self.splits.append(split)
            reply.directions[split.node] = go_left
        for direction in request.directions:
            self._nodes.split(direction.node, direction.left, direction.go_left)
        for left in request.siblings:
            child = self._nodes.smaller_child(left)
            reply.sums[child] = self._sums(child)
        return reply

    def _sums(self, node: int) -> Float64:
        rows = self._nodes.sampled(node)
        with span("sum own columns"):
            return node_histogram(self._bins, self.n_bins, self._gradients, rows, self._features)
