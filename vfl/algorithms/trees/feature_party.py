"""The feature party's side of trees: sums on ciphertexts, and the splits that its columns win.

A worker answers the messages of one job. What it needs from disk comes through a `vfl.aggregation.store.FeatureStore`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.aggregation.store import FeatureStore, open_rows
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.columns import NodeRows, OwnSplit, goes_left
from vfl.algorithms.trees.disclosure_control import (
    DisclosureControl,
    DisclosurePolicy,
    few_missing,
    merge_bins,
)
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.algorithms.trees.training_journal import TrainingJournal
from vfl.arrays import Bool, Integers, Limbs
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage, OutOfRange, OutOfSequence, ParameterError
from vfl.trace import span
from vfl.wire.message import Column, Message

NO_POLICY = DisclosurePolicy()


class TrainingWorker:
    """Answers one training job.

    Args:
        store: this party's alignments, columns and shares.
        show_columns: whether the label party learns the names of this party's columns.
        guard: what is withheld.
    """

    def __init__(
        self, store: FeatureStore, *, show_columns: bool = False, guard: DisclosurePolicy = NO_POLICY
    ) -> None:
        self._store = store
        self._guard = guard
        self._show_columns = show_columns
        self._handlers: dict[type[Message], Callable[[Any], Message]] = {
            m.OpenTraining: self._open,
            m.OpenTree: self._open_tree,
            m.Gradients: self._gradients,
            m.SumRoot: self._sum_root,
            m.GrowLevel: self._grow_level,
            m.CloseTraining: self._close,
        }

    def handle(self, request: Message) -> Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        return self._handlers[type(request)](request)

    def _open(self, request: m.OpenTraining) -> m.TrainingOpened:
        names, columns = open_rows(self._store, request.alignment, request.fingerprint)
        fit, watch = (from_bitmap(rows, len(columns)) for rows in (request.fit_rows, request.watch_rows))
        if not fit.any() or (fit & watch).any():
            raise MalformedMessage("a job needs fit rows, and none of them may be a watch row")
        self._model = request.model
        self._names = names
        self._trees_allowed = request.trees
        self._public_key = PublicKey.from_bytes(request.public_key)
        self._modulus = self._public_key.modulus
        self._rerandomizer = Rerandomizer(self._public_key)
        try:
            self._packing = GradientPacking(
                request.fraction_bits, request.packed_rows, request.max_abs_g, request.max_h
            )
        except ParameterError as error:
            raise OutOfRange(f"the bounds of the job cannot be kept: {error}") from None
        if request.packed_rows < np.count_nonzero(fit):
            raise OutOfRange("the job packs fewer rows than it fits")
        job_rows = fit | watch
        self._fit = fit[job_rows]
        self._cuts = cut_points(columns[fit], request.max_bin)
        self._bins = bin_columns(columns[job_rows], self._cuts)
        self._joined: dict[int, int] = {}
        asked = self._cuts.n_bins
        if self._guard.histogram_rows > 1:
            self._merge(columns[job_rows])
        self._n_bins = self._cuts.n_bins
        self._reserve(int(np.count_nonzero(fit)))
        self._columns: Integers = np.zeros(0, dtype=np.int64)
        self._draft = TrainingJournal(self._store, request, self._cuts, self._bins)
        self._splits, self._splits_before_tree = self._draft.splits, self._draft.before
        self._disclosure = DisclosureControl(self._guard, len(self._fit), self._draft.levels)
        shown = names if self._show_columns else [""] * len(names)
        coarser = {*np.flatnonzero(asked != self._n_bins).tolist(), *self._joined}
        told = [Column(n, int(b)) for n, b in zip(shown, self._n_bins, strict=True)]
        return m.TrainingOpened(told, len(coarser))

    def _merge(self, columns: npt.NDArray[np.float32]) -> None:
        """Make bins coarser until each has enough rows, missing values included."""
        least = self._guard.histogram_rows
        self._cuts = merge_bins(self._cuts, self._bins[self._fit], least)
        self._bins = bin_columns(columns, self._cuts)
        self._joined = few_missing(self._bins, self._cuts.n_bins, self._fit, least)
        for column, fullest in self._joined.items():
            codes = self._bins[:, column]
            codes[codes == self._cuts.n_bins[column]] = fullest

    def _reserve(self, rows: int) -> None:
        """Find room for a tree's ciphertexts: memory, or beyond the limit a file read block by block."""
        limbs, limit = self._modulus.limbs, self._store.memory_limit
        in_memory = 8 * limbs * rows <= limit
        self._block_rows = None if in_memory else max(1, limit // (2 * 8 * limbs))
        new = np.empty((rows, limbs), dtype=np.uint64) if in_memory else self._store.scratch(rows, limbs)
        self._reserved: Limbs = new

    def _open_tree(self, request: m.OpenTree) -> m.TreeOpened:
        if not len(self._splits_before_tree) <= request.tree < self._trees_allowed:
            raise OutOfSequence(f"tree {request.tree} is not a next tree of this job")
        columns = np.array(request.columns or range(len(self._n_bins)), dtype=np.int64)
        if (np.diff(columns) <= 0).any() or columns[-1] >= len(self._n_bins):
            raise OutOfRange("columns must ascend and exist")
        sampled = from_bitmap(request.rows, len(self._fit)) if request.rows else self._fit
        if (sampled & ~self._fit).any():
            raise OutOfRange("a tree samples rows that the job does not fit")
        self._draft.open_tree(request)
        self._disclosure.open_tree(sampled)
        # A tree in which this party has no sampled column is never opened here.
        skipped = request.tree + 1 - len(self._splits_before_tree)
        self._splits_before_tree += [len(self._splits)] * skipped
        if not np.array_equal(columns, self._columns):
            self._columns = columns
            self._sums = EncryptedHistogram(
                self._modulus, plan(self._bins, self._n_bins, columns), self._block_rows
            )
        self._nodes = NodeRows(len(sampled), sampled)
        self._position = np.cumsum(sampled, dtype=np.int64) - 1
        self._received = 0
        self._residues = self._reserved[: np.count_nonzero(sampled)]
        return m.TreeOpened(len(self._residues))

    def _gradients(self, request: m.Gradients) -> m.GradientsTaken:
        width = 8 * self._modulus.limbs
        if not request.ciphertexts or len(request.ciphertexts) % width:
            raise MalformedMessage(f"ciphertexts must be whole numbers of {width} bytes")
        ciphertexts = np.frombuffer(request.ciphertexts, dtype="<u8").reshape(-1, self._modulus.limbs)
        end = self._received + len(ciphertexts)
        if request.offset != self._received or end > len(self._residues):
            raise OutOfRange(f"ciphertext {self._received} of {len(self._residues)} was due")
        with span("check ciphertexts"):
            self._residues[self._received : end] = check_ciphertexts(self._public_key, ciphertexts)
        self._received = end
        return m.GradientsTaken(end)

    def _sum_root(self, request: m.SumRoot) -> m.LevelGrown:
        if self._received != len(self._residues):
            raise OutOfSequence(f"{self._received} of {len(self._residues)} ciphertexts have come")
        self._draft.keep([])
        return m.LevelGrown([], [self._node_sums(0)])

    def _grow_level(self, request: m.GrowLevel) -> m.LevelGrown:
        self._draft.ask(request)
        directions = []
        for split in request.splits:
            go_left = self._apply(split)
            directions.append(m.Directions(split.node, split.left, to_bitmap(go_left)))
        for direction in request.directions:
            self._check_node(direction.node, direction.left)
            go_left = from_bitmap(direction.go_left, len(self._nodes[direction.node]))
            self._nodes.split(direction.node, direction.left, go_left)
            self._disclosure.split(direction.node, direction.left)
        if not all(left in self._nodes and left + 1 in self._nodes for left in request.siblings):
            raise OutOfRange("sums were asked of nodes that are not there")
        told = [left for left in request.siblings if self._disclosure.tells(left, self._nodes)]
        self._draft.keep(self._splits[len(self._splits) - len(request.splits) :])
        return m.LevelGrown(directions, [self._child_sums(left, left in told) for left in request.siblings])

    def _close(self, request: m.CloseTraining) -> m.TrainingClosed:
        if request.trees > self._trees_allowed:
            raise OutOfRange(f"{request.trees} trees cannot be kept of {self._trees_allowed}")
        # Trees after the last one that was opened here have no split of this party.
        bounds = [*self._splits_before_tree, len(self._splits)]
        kept = self._splits[: bounds[min(request.trees, len(bounds) - 1)]]
        part = TreesFeaturePart(
            columns=self._names,
            splits=SplitTable(
                feature=[split.feature for split in kept],
                threshold=[self._cuts.threshold(split.feature, split.bin) for split in kept],
                default_left=[split.default_left for split in kept],
            ),
        )
        self._store.save_part(self._model, part)
        return m.TrainingClosed(len(kept))

    def _check_node(self, node: int, left: int) -> None:
        if node not in self._nodes or left <= node or left in self._nodes or left + 1 in self._nodes:
            raise OutOfRange(f"node {node} cannot be split into {left} and {left + 1} now")

    def _apply(self, split: m.Split) -> Bool:
        known_column = split.column in self._columns
        if not known_column or not -1 <= split.bin < self._n_bins[split.column]:
            raise OutOfRange("a split names a column or bin outside the tree")
        if split.split != len(self._splits):
            raise OutOfSequence(f"split {len(self._splits)} of this model was due")
        self._check_node(split.node, split.left)
        codes = self._bins[self._nodes[split.node], split.column]
        go_left = goes_left(codes, int(self._n_bins[split.column]), split.bin, split.default_left)
        self._nodes.split(split.node, split.left, go_left)
        self._disclosure.split(split.node, split.left)
        # Missing values that were counted in a bin go where the bin goes.
        joined = self._joined.get(split.column)
        missing_left = split.default_left if joined is None else joined <= split.bin
        self._splits.append(
            OwnSplit(split.split, split.node, split.left, split.column, split.bin, missing_left)
        )
        return go_left

    def _child_sums(self, left: int, told: bool) -> m.NodeSums:
        """The sums of the child with fewer rows, or nothing where the guard withholds them."""
        child = self._nodes.smaller_child(left)
        return self._node_sums(child) if told else m.NodeSums(child, b"")

    def _node_sums(self, node: int) -> m.NodeSums:
        rows = self._nodes.sampled(node)
        if not len(rows):  # nothing to hide: both sides know that no row of this party is here
            return m.NodeSums(node, b"")
        with span("sum"):
            sums = self._sums.of(self._residues, self._position[rows], rows)
        slots = self._packing.slots_per_ciphertext(len(rows), self._public_key.bits)
        with span("pack"):
            packed = self._modulus.pack(sums, slots, self._packing.slot_bits(len(rows)))
        with span("re-randomise"):
            fresh = self._modulus.from_residues(self._rerandomizer.rerandomize(packed))
        return m.NodeSums(node, fresh.astype("<u8", copy=False).tobytes())
