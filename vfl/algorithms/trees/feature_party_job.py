"""One training at a feature party: what lasts from tree to tree."""

from __future__ import annotations

import numpy as np

from vfl.aggregation.bitmap import from_bitmap
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.aggregation.packed_sums import SumPacker
from vfl.aggregation.store import FeatureStore
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import Split
from vfl.algorithms.trees.disclosure_control import DisclosureControl, DisclosurePolicy
from vfl.algorithms.trees.feature_columns import FeatureColumns
from vfl.algorithms.trees.feature_party_tree import FeatureTree
from vfl.algorithms.trees.parts import TreesFeaturePart, split_table
from vfl.algorithms.trees.training_journal import TrainingJournal, TreeJournal
from vfl.arrays import Integers, Limbs
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import PublicKey
from vfl.errors import OutOfRange, OutOfSequence, ParameterError


class FeatureJob:
    """An opened training.

    Args:
        store: this party's.
        opening: the request that opened it.
        table: this party's columns.
        policy: what is withheld.

    Attributes:
        public_key: the label party's.

    Raises:
        OutOfRange: the bounds of the job cannot be kept.
        NotAligned, NotAllowed, StateError: as from `TrainingJournal`.
    """

    def __init__(
        self, store: FeatureStore, opening: m.OpenTraining, table: FeatureColumns, policy: DisclosurePolicy
    ) -> None:
        self._store, self._table, self._model, self._max_trees = store, table, opening.model, opening.trees
        self.public_key = PublicKey.from_bytes(opening.public_key)
        self._packer = SumPacker(self.public_key, _packing(opening))
        rows, limbs, limit = int(np.count_nonzero(table.fit)), self.public_key.limbs, store.memory_limit
        in_memory = 8 * limbs * rows <= limit
        # Beyond the memory limit ciphertexts lie in a file, which is read block by block.
        self._block_rows = None if in_memory else max(1, limit // (2 * 8 * limbs))
        room = np.empty((rows, limbs), dtype=np.uint64) if in_memory else store.scratch(rows, limbs)
        self._room: Limbs = room
        self._journal = TrainingJournal(
            store,
            opening,
            model=opening.model,
            grown=opening.grown,
            n_splits=opening.splits,
            data=(table.cuts.values, table.cuts.pointers, table.cuts.min_values, table.bins),
        )
        self._splits, self._splits_before_tree = self._journal.splits, self._journal.before
        self._disclosure = DisclosureControl(policy, len(table.fit), self._journal.levels)
        self._histograms: dict[bytes, EncryptedHistogram] = {}

    def open_tree(self, request: m.OpenTree) -> tuple[FeatureTree, TreeJournal]:
        """Return the tree that a request opens, and its journal.

        Raises:
            OutOfSequence: the tree is not a next one of this job.
            OutOfRange: it has columns or rows that it cannot have.
            NotAllowed: disclosure control or the journal does not allow it.
        """
        table, before = self._table, self._splits_before_tree
        if not len(before) <= request.tree < self._max_trees:
            raise OutOfSequence(f"tree {request.tree} is not a next tree of this job")
        columns = np.array(request.columns or range(len(table.n_bins)), dtype=np.int64)
        if (np.diff(columns) <= 0).any() or columns[-1] >= len(table.n_bins):
            raise OutOfRange("columns must ascend and exist")
        sampled = from_bitmap(request.rows, len(table.fit)) if request.rows else table.fit
        if (sampled & ~table.fit).any():
            raise OutOfRange("a tree samples rows that the job does not fit")
        journal = self._journal.open_tree(request.tree, request)
        disclosure = self._disclosure.open_tree(sampled)
        # A tree in which this party has no sampled column is never opened here.
        before += [len(self._splits)] * (request.tree + 1 - len(before))
        room = self._room[: np.count_nonzero(sampled)]
        histogram = self._histogram(columns)
        tree = FeatureTree(table, columns, sampled, room, histogram, self._packer, disclosure, self._splits)
        return tree, journal

    def last_splits(self, count: int) -> list[Split]:
        """Return the last ``count`` splits by this party's columns."""
        return self._splits[len(self._splits) - count :]

    def keep(self, trees: int) -> int:
        """Store this party's part of the first trees; returns how many splits it has.

        Raises:
            OutOfRange: more trees than the job has.
            StateError: the part cannot be written.
        """
        if trees > self._max_trees:
            raise OutOfRange(f"{trees} trees cannot be kept of {self._max_trees}")
        # Trees after the last one that was opened here have no split of this party.
        bounds = [*self._splits_before_tree, len(self._splits)]
        splits = self._splits[: bounds[min(trees, len(bounds) - 1)]]
        part = TreesFeaturePart(columns=self._table.names, splits=split_table(splits, self._table.cuts))
        self._store.save_part(self._model, part)
        return len(splits)

    def _histogram(self, columns: Integers) -> EncryptedHistogram:
        """Return the plan of the last tree where this one has the same columns, or a new one."""
        key = columns.tobytes()
        if key not in self._histograms:
            sets = plan(self._table.bins, self._table.n_bins, columns)
            self._histograms = {key: EncryptedHistogram(self.public_key.modulus, sets, self._block_rows)}
        return self._histograms[key]


def _packing(opening: m.OpenTraining) -> GradientPacking:
    try:
        return GradientPacking(opening.fraction_bits, opening.packed_rows, opening.max_abs_g, opening.max_h)
    except ParameterError as error:
        raise OutOfRange(f"the bounds of the job cannot be kept: {error}") from None
