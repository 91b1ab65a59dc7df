"""What the label party knows of a training before the first tree: loss, bounds, order of rows, recipients."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from vfl.aggregation.row_order import common_order
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.columns import Gradients
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.sampling import goss_factor, sample_rows
from vfl.arrays import Bool, Float32, Integers
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.errors import DataError
from vfl.psi.alignment import Alignment


class TreesProblem:
    """Labels and rows of one training.

    Args:
        table: labels and own columns.
        params: training parameters.
        watch: bool [n], rows kept for validation.
        alignments: with each feature party, in the order of the session's parties.

    Attributes:
        base_score: the prediction before the first tree.
        packing: how a gradient and a hessian share a plaintext.
        order: int64 [n], the label party's rows in the common order.
        rows_in_label_table: by feature party int64, by its own row the label party's row.
        recipients_per_row: int64 [n], how many feature parties take each row's ciphertext.

    Raises:
        DataError: the labels do not fit the objective, or there is no row to train on.
        NotAligned: the table lacks a customer of an alignment.
    """

    def __init__(
        self, table: LabelTable, params: TreeParams, watch: Bool, alignments: Mapping[str, Alignment]
    ) -> None:
        self.table, self.params, self.watch, self.fit = table, params, watch, ~watch
        self.loss = LOSSES[params.objective]
        self.loss.check_labels(table.labels)
        if not self.fit.any():
            raise DataError("there is no row to train on: every row is kept for validation")
        self.base_score = self._first_score()
        self.packing = self._bounds()
        self.rows_in_label_table = {peer: table.rows_of(alignment) for peer, alignment in alignments.items()}
        rows = list(self.rows_in_label_table.values())
        self.order = common_order(len(watch), rows, list(alignments.values()))
        self.recipients_per_row: Integers = np.bincount(
            np.concatenate([np.zeros(0, np.int64), *rows]), minlength=len(watch)
        )

    @property
    def rows_encrypted(self) -> int:
        """How many rows of a tree are encrypted, at most."""
        return int(np.count_nonzero(self.fit & (self.recipients_per_row > 0)))

    def start_margin(self) -> Float32:
        """Return float32 [n], the margins before the first tree."""
        return np.full(len(self.fit), self.loss.margin(self.base_score), dtype=np.float32)

    def gradients(self, margin: Float32, rng: np.random.Generator) -> Gradients:
        """Return the gradients of the next tree, and draw the rows that enter its sums.

        Args:
            margin: float32 [n], what the trees before it add up to.
            rng: draws the rows.
        """
        table, params = self.table, self.params
        g, h = self.loss.gradients(margin, table.labels, table.weights, params.scale_pos_weight)
        sampled, g, h = sample_rows(self.fit, g, h, params, rng)
        fixed = FixedPoint(self.packing.fraction_bits)
        return Gradients(fixed.quantise(g), fixed.quantise(h), sampled)

    def _first_score(self) -> float:
        if self.params.base_score is not None:
            return self.params.base_score
        weights = None if self.table.weights is None else self.table.weights[self.fit]
        return self.loss.base_score(self.table.labels[self.fit], weights, self.params.scale_pos_weight)

    def _bounds(self) -> GradientPacking:
        """Bounds that every gradient of the job keeps, rounded up to powers of two: they cross the wire."""
        weights = np.ones(1) if self.table.weights is None else self.table.weights
        heaviest = float(weights.max()) * max(1.0, self.params.scale_pos_weight)
        heaviest *= max(1.0, goss_factor(self.params))
        g, h = self.loss.bounds(self.table.labels, self.base_score)
        max_g, max_h = (2.0 ** math.ceil(math.log2(heaviest * bound)) for bound in (g, h))
        n = int(np.count_nonzero(self.fit))
        return GradientPacking(FixedPoint.fraction_bits_for(n, max(max_g, max_h)), n, max_g, max_h)
