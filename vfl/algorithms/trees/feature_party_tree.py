"""One tree at a feature party: where its rows are, their ciphertexts, and the sums of nodes."""

from __future__ import annotations

import msgspec
import numpy as np

from vfl.aggregation.group_sums import EncryptedHistogram
from vfl.aggregation.packed_sums import SumPacker
from vfl.algorithms.trees.columns import Direction, NodeRows, Split
from vfl.algorithms.trees.disclosure_control import TreeDisclosure
from vfl.algorithms.trees.feature_columns import FeatureColumns
from vfl.arrays import Bool, Integers, Limbs
from vfl.errors import OutOfRange, OutOfSequence
from vfl.trace import span


class FeatureTree:
    """One tree at a feature party.

    Args:
        table: this party's columns.
        columns: int64, numbers of those that take part, ascending.
        sampled: bool [job rows], rows that enter sums.
        residues: room for their ciphertexts [sampled rows, limbs].
        histogram: sums the ciphertexts of a node by (column, bin).
        packer: makes sums ready to be sent.
        disclosure: says which sums may be disclosed.
        splits: of this party over the whole model so far; those of the tree are added.
    """

    def __init__(
        self,
        table: FeatureColumns,
        columns: Integers,
        sampled: Bool,
        residues: Limbs,
        histogram: EncryptedHistogram,
        packer: SumPacker,
        disclosure: TreeDisclosure,
        splits: list[Split],
    ) -> None:
        self._table, self._columns, self._splits = table, columns, splits
        self._histogram, self._packer, self._disclosure = histogram, packer, disclosure
        self._residues = residues
        self._position: Integers = np.cumsum(sampled, dtype=np.int64) - 1
        self._nodes = NodeRows(sampled)

    @property
    def rows(self) -> int:
        """How many rows are sampled."""
        return len(self._residues)

    def store(self, first: int, residues: Limbs) -> None:
        """Keep the ciphertexts of the sampled rows from ``first`` on."""
        self._residues[first : first + len(residues)] = residues

    def rows_of(self, node: int, left: int) -> int:
        """Return how many rows are in a node that is to be split; raises OutOfRange where it cannot be."""
        if node not in self._nodes or left <= node or left in self._nodes or left + 1 in self._nodes:
            raise OutOfRange(f"node {node} cannot be split into {left} and {left + 1} now")
        return len(self._nodes[node])

    def apply(self, split: Split) -> Bool:
        """Split a node by a column of this party, and return which of its rows go left.

        Raises:
            OutOfRange: the split names a column or bin outside the tree, or a node that cannot be split.
            OutOfSequence: another split of this party was due.
        """
        in_tree = split.column in self._columns
        if not in_tree or not -1 <= split.bin < self._table.n_bins[split.column]:
            raise OutOfRange("a split names a column or bin outside the tree")
        if split.split != len(self._splits):
            raise OutOfSequence(f"split {len(self._splits)} of this model was due")
        self.rows_of(split.node, split.left)
        go_left = self._table.go_left(self._nodes[split.node], split)
        self.move(Direction(split.node, split.left, go_left))
        self._splits.append(msgspec.structs.replace(split, default_left=self._table.missing_left(split)))
        return go_left

    def move(self, direction: Direction) -> None:
        """Split a node as a column of another party splits it."""
        self._nodes.split(direction.node, direction.left, direction.go_left)
        self._disclosure.split(direction.node, direction.left)

    def allowed_siblings(self, siblings: list[int]) -> list[int]:
        """Return the left children among ``siblings`` whose sums may be disclosed, and count them.

        Raises:
            OutOfRange: there is no such node.
            OutOfSequence, NotAllowed: as from `TreeDisclosure.tells`.
        """
        if not all(left in self._nodes and left + 1 in self._nodes for left in siblings):
            raise OutOfRange("sums were asked of nodes that are not there")
        return [left for left in siblings if self._disclosure.tells(left, self._nodes)]

    def smaller_child(self, left: int) -> int:
        """Return the child with fewer sampled rows; the left on a tie."""
        return self._nodes.smaller_child(left)

    def sums(self, node: int) -> bytes:
        """Return the packed encrypted sums of a node; none where this party has no row there."""
        rows = self._nodes.sampled(node)
        if not len(rows):  # nothing to hide: both sides know that no row of this party is here
            return b""
        with span("sum"):
            sums = self._histogram.sum_by_bin(self._residues, self._position[rows], rows)
        return self._packer.pack(sums, len(rows))
