"""The least that a training job can take: the multiplications that its plan needs, times one of them.

A job is grown again in the clear, with the same gradients and so the same nodes, by a feature party that
counts the multiplications of its encrypted twin instead of making them.
"""

from __future__ import annotations

import os
from typing import Any, cast

import numpy as np

from benchmarks import kernel as kernels
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.algorithms.trees import multiplications as count
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.columns import Gradients, LocalColumns, LocalTable
from vfl.algorithms.trees.grower import Grower
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.machine_speed import Counting
from vfl.algorithms.trees.multiplications import Multiplications
from vfl.algorithms.trees.params import TreeParams
from vfl.arrays import Float32, Float64, Integers
from vfl.crypto import kernel
from vfl.crypto.kernel import Modulus
from vfl.crypto.packing import FixedPoint, GradientPacking


class Counter:
    """Counts what a feature party's encrypted twin multiplies over a job, both sides together."""

    def __init__(self, table: LocalTable, key_bits: int, packing: GradientPacking) -> None:
        self.public = self.private = 0.0
        self._counting = Counting()
        everything = np.arange(len(table.n_bins))
        self._histogram = EncryptedHistogram(
            cast(Modulus, self._counting), plan(table.bins, table.n_bins, everything)
        )
        self._packed_bins = int(table.n_bins.sum())
        self._key_bits, self._packing = key_bits, packing
        self._zeros = np.zeros((len(table.bins), 1), dtype=np.uint64)

    def count_tree(self, rows: int) -> None:
        """Count the encryption of a tree's rows, and their receipt."""
        self._add(count.encryption(self._key_bits, "short").times(rows))
        self._add(count.taking().times(rows))

    def count_node(self, rows: Integers) -> None:
        """Count the sums of a node."""
        if len(rows):
            self._counting.multiplications = 0
            self._histogram.sum_by_bin(self._zeros, rows, rows)
            slots = self._packing.slots_per_ciphertext(len(rows), self._key_bits)
            packed = -(-self._packed_bins // slots)
            self._add(Multiplications(public=self._counting.multiplications))
            self._add(count.packing(slots, self._packing.slot_bits(len(rows))).times(packed))
            self._add(count.rerandomising(self._key_bits).times(packed))
            self._add(count.decryption(self._key_bits).times(packed))

    def _add(self, work: Multiplications) -> None:
        self.public += work.public
        self.private += work.private


class CountedColumns(LocalColumns):
    """A feature party in the clear that counts what its encrypted twin multiplies."""

    def __init__(self, table: LocalTable, gradients: Gradients, counter: Counter) -> None:
        super().__init__(table, gradients)
        self._counter = counter
        counter.count_tree(int(np.count_nonzero(gradients.sampled)))

    def _sums(self, rows: Integers, columns: Integers) -> Float64:
        self._counter.count_node(rows)
        return super()._sums(rows, columns)


def _binned(columns: Float32, max_bin: int) -> LocalTable:
    cuts = cut_points(columns, max_bin)
    return LocalTable(bin_columns(columns, cuts), cuts.n_bins, np.arange(len(columns), dtype=np.int64))


def measure(
    own: Float32, partner: Float32, labels: Float32, params: TreeParams, key_bits: int
) -> dict[str, Any]:
    """Count a job's multiplications and time one.

    Args:
        own, partner: float32 [rows, columns] of the two parties, rows in the common order.
        labels: float32 [rows], 0 or 1.

    Returns:
        as :func:`in_seconds`.
    """
    loss = LOSSES[params.objective]
    bits = FixedPoint.fraction_bits_for(len(labels), 1.0)
    fixed, packing = FixedPoint(bits), GradientPacking(bits, len(labels), 1.0, 0.25)
    local, remote = _binned(own, params.max_bin), _binned(partner, params.max_bin)
    counter = Counter(remote, key_bits, packing)
    grower = Grower(params, bits, np.random.default_rng(0), [[], []])
    score = loss.base_score(labels, None, 1.0)
    margin = np.full(len(labels), loss.margin(score), dtype=np.float32)
    for _ in range(params.n_estimators):
        g, h = loss.gradients(margin, labels, None, 1.0)
        gradients = Gradients(fixed.quantise(g), fixed.quantise(h), np.ones(len(labels), dtype=np.bool_))
        owners = [LocalColumns(local, gradients), CountedColumns(remote, gradients, counter)]
        grown = grower.grow(gradients, owners)
        margin += np.array(grown.tree.value, dtype=np.float32)[grown.leaf_of_row]
    opening = count.opening(key_bits)
    return in_seconds(counter.public + opening.public, counter.private + opening.private, key_bits)


def in_seconds(public: float, private: float, key_bits: int) -> dict[str, Any]:
    """Time a multiplication at both widths of a key.

    Args:
        public, private: how many are needed modulo n^2, and modulo p^2 or q^2.

    Returns:
        ``multiplications`` by width of the modulus, ``multiplication_us`` of one of each on one core with
        all cores busy, and ``limit_seconds`` on all cores.
    """
    needed = {2 * key_bits: public, key_bits: private}
    cores = os.cpu_count() or 1
    path = {"native-ifma": "ifma", "native-portable": "portable"}.get(kernel.kernel_name(), "gmpy2")
    each = {width: kernels.multiplications(width, cores, 5)[path] for width in needed}
    return {
        "multiplications": needed,
        "multiplication_us": each,
        "limit_seconds": sum(needed[width] * each[width] for width in needed) / 1e6 / cores,
    }
