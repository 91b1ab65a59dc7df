"""What the grower asks of whoever holds columns, and the owner that holds them in this process.

Rows are those of the label party, 0 to n - 1. An owner may have only some of them; ``rows_in_label_table[i]``
is the row that its own row i is. Nodes carry the numbers of `vfl.algorithms.trees.parts.Tree`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from vfl.algorithms.trees.histogram import node_histogram
from vfl.arrays import Bins, Bool, Float64, Integers
from vfl.trace import span

Number = Annotated[int, Meta(ge=0, lt=2**20)]
"""Of a node or a column."""


@dataclass(frozen=True)
class Gradients:
    """What a tree is grown on: fixed-point integers int64 [n], and which rows enter sums.

    Rows outside ``sampled`` (drawn out, or kept for validation) still move through the tree.
    """

    G: Integers
    H: Integers
    sampled: Bool


class Split(Struct, frozen=True, forbid_unknown_fields=True):
    """A split of a node by a column of one owner, which alone knows what the bin means.

    Attributes:
        split: its number among this owner's splits of the whole model, from 0 without gaps.
        node: the node that is split.
        left: the child of rows that go left; the other child is ``left + 1``.
        column: the owner's own column number.
        bin: rows in bins up to this one go left; -1 where only missing rows do.
        default_left: whether missing rows go left.
    """

    split: Annotated[int, Meta(ge=0, lt=2**32)]
    node: Number
    left: Number
    column: Number
    bin: Annotated[int, Meta(ge=-1, le=65_535)]
    default_left: bool


@dataclass(frozen=True)
class Direction:
    """How an owner's rows of a node move for a split that another owner's column makes.

    ``go_left`` has an entry for each of the owner's rows in the node, by ascending own row.
    """

    node: int
    left: int
    go_left: Bool


class NodeRows:
    """Which rows of one owner are in which open node of the tree being grown.

    Args:
        sampled: bool [own rows], which rows enter sums.
    """

    def __init__(self, sampled: Bool) -> None:
        self._rows: dict[int, Integers] = {0: np.arange(len(sampled), dtype=np.int64)}
        self._is_sampled = sampled

    def __contains__(self, node: int) -> bool:
        return node in self._rows

    def __getitem__(self, node: int) -> Integers:
        """The rows of a node, ascending."""
        return self._rows[node]

    def sampled(self, node: int) -> Integers:
        """The rows of a node that enter sums, ascending."""
        rows = self._rows[node]
        return rows[self._is_sampled[rows]]

    def split(self, node: int, left: int, go_left: Bool) -> None:
        """Replace a node by its children ``left`` and ``left + 1``."""
        rows = self._rows.pop(node)
        self._rows[left], self._rows[left + 1] = rows[go_left], rows[~go_left]

    def smaller_child(self, left: int) -> int:
        """Of the children ``left`` and ``left + 1`` the one with fewer sampled rows; the left on a tie."""
        return left if len(self.sampled(left)) <= len(self.sampled(left + 1)) else left + 1

    def smaller_child_after(self, move: Direction) -> tuple[int, Integers]:
        """Return what `smaller_child` is once a node is split so, and its rows that enter sums."""
        rows = self._rows[move.node]
        enters = self._is_sampled[rows]
        left, right = rows[enters & move.go_left], rows[enters & ~move.go_left]
        return (move.left, left) if len(left) <= len(right) else (move.left + 1, right)


@dataclass(frozen=True)
class OwnerNodes:
    """What one tree has of one owner's table: the columns drawn for it, and where the rows are.

    Attributes:
        columns: int64, own numbers, ascending.
        rows: as they were before the level that is asked about.
    """

    columns: Integers
    rows: NodeRows


@dataclass(frozen=True)
class LevelRequest:
    """One question to one owner about one level; splits are applied before sums are made.

    Attributes:
        splits: splits of the level above by this owner's columns that it has not been sent yet.
        directions: how this owner's rows move where sums are wanted below and another owner's column splits.
        applied: how they moved where it has applied its own split already.
        siblings: left children; for each the owner returns the sums of it or of its sibling
            ``left + 1``, whichever has fewer of its own sampled rows, of the left child on a tie.
    """

    splits: list[Split] = field(default_factory=list)
    directions: list[Direction] = field(default_factory=list)
    applied: list[Direction] = field(default_factory=list)
    siblings: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.splits or self.siblings)

    def summed(self, rows: NodeRows, directions: dict[int, Bool]) -> dict[int, Integers]:
        """Return by child, in the order of ``siblings``, the rows that enter its sums.

        Args:
            rows: as they were before the level.
            directions: by node of ``splits``.
        """
        moves = {move.left: move for move in (*self.directions, *self.applied)}
        for split in self.splits:
            moves[split.left] = Direction(split.node, split.left, directions[split.node])
        return dict(rows.smaller_child_after(moves[left]) for left in self.siblings)


@dataclass(frozen=True)
class LevelReply:
    """The answer to a `LevelRequest`.

    Attributes:
        directions: by node of ``splits``, bool with an entry for each of the owner's rows in the node, by
            ascending own row.
        sums: by child, float64 [sum of n_bins over the tree's columns of this owner, 2].
        withheld: children whose sums the owner does not tell, nor those of their siblings; 0 in ``sums``.
    """

    directions: dict[int, Bool] = field(default_factory=dict)
    sums: dict[int, Float64] = field(default_factory=dict)
    withheld: frozenset[int] = frozenset()


class ColumnOwner(Protocol):
    """Columns that one tree is grown on, wherever they lie.

    Attributes:
        n_bins: int64, bins of each column, the missing bin not counted.
        rows_in_label_table: int64, by own row the label party's row; distinct.
    """

    n_bins: Integers
    rows_in_label_table: Integers

    def root_sums(self, nodes: OwnerNodes) -> Float64:
        """Start the tree; return the sums of the root."""

    def level(self, nodes: OwnerNodes, request: LevelRequest) -> LevelReply:
        """Apply splits and directions, return directions and sums."""


def goes_left(codes: npt.NDArray[np.integer], n_bins: int, bin_: int, default_left: bool) -> Bool:
    """Which rows a split sends left, given their bins in its column (``n_bins`` being missing)."""
    return np.where(codes == n_bins, default_left, codes.astype(np.int64) <= bin_)


@dataclass(frozen=True)
class LocalTable:
    """The binned columns of this process: the label party's own, or in tests those of any party.

    Attributes:
        bins: uint8/uint16 [own rows, columns] from `vfl.algorithms.trees.binning.bin_columns`.
        n_bins: int64 [columns].
        rows_in_label_table: int64 [own rows].
    """

    bins: Bins
    n_bins: Integers
    rows_in_label_table: Integers


class LocalColumns:
    """A table of this process as a `ColumnOwner` for one tree.

    Args:
        table: the columns.
        gradients: of the tree, by row of the label party.
    """

    def __init__(self, table: LocalTable, gradients: Gradients) -> None:
        self.n_bins, self.rows_in_label_table = table.n_bins, table.rows_in_label_table
        rows = table.rows_in_label_table
        self._bins = table.bins
        self._gradients = np.stack([gradients.G[rows], gradients.H[rows]]).astype(np.float64)

    def root_sums(self, nodes: OwnerNodes) -> Float64:
        return self._sums(nodes.rows.sampled(0), nodes.columns)

    def level(self, nodes: OwnerNodes, request: LevelRequest) -> LevelReply:
        directions = {split.node: self._go_left(nodes.rows[split.node], split) for split in request.splits}
        summed = request.summed(nodes.rows, directions)
        return LevelReply(
            directions, {child: self._sums(rows, nodes.columns) for child, rows in summed.items()}
        )

    def _go_left(self, rows: Integers, split: Split) -> Bool:
        codes = self._bins[rows, split.column]
        return goes_left(codes, int(self.n_bins[split.column]), split.bin, split.default_left)

    def _sums(self, rows: Integers, columns: Integers) -> Float64:
        with span("sum own columns"):
            return node_histogram(self._bins, self.n_bins, self._gradients, rows, columns)
