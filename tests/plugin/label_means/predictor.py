"""Scores of label means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.plugin.label_means.bins import bin_numbers, one_hot
from tests.plugin.label_means.parts import LabelMeansLabelPart
from vfl.arrays import Bool, Float32, Float64, Floats, Integers, check_columns
from vfl.errors import NotAligned
from vfl.model.predictor import Answers, Predictor


class LabelMeansPredictor(Predictor):
    """The label party's part made ready to score; whoever is missing or unknown in a column adds nothing."""

    def __init__(self, part: LabelMeansLabelPart) -> None:
        self._part = part
        self._means = [part.means, *(peer.means for peer in part.peers)]
        self._columns = sum(map(len, self._means))

    def gather(
        self, columns: Float32, answers: Sequence[Answers | None], known: Sequence[Integers]
    ) -> Float64:
        """The contributions of all columns, float64 [n, columns of all parties]."""
        blocks = [
            self._contributions(bits, means)
            for bits, means in zip(self._bits(columns, answers, known), self._means, strict=True)
        ]
        return np.hstack(blocks)

    def margins(self, gathered: Answers) -> Float64:
        margins = np.full(len(gathered), self._part.base_rate)
        for column in gathered.T:
            margins += column
        return margins

    def scores(self, margins: Floats) -> Float32:
        return margins.astype(np.float32)

    def contributions(self, gathered: Answers) -> tuple[Float64, float]:
        return gathered, self._part.base_rate

    def reference_predictions(
        self, columns: Float32, answers: Sequence[Answers], known: Sequence[Integers]
    ) -> Float64:
        """The same scores as one product of matrices."""
        base = self._part.base_rate
        weights = [mean - base for means in self._means for bins in means for mean in bins]
        bits = np.hstack(self._bits(columns, answers, known))
        return np.asarray(base + bits.astype(np.float64) @ np.array(weights) / self._columns)

    def _bits(
        self, columns: Float32, answers: Sequence[Answers | None], known: Sequence[Integers]
    ) -> list[Bool]:
        """By party bool [n, bins of its columns]."""
        check_columns(columns)
        part, rows = self._part, len(columns)
        if columns.shape[1] != len(part.columns) or not len(answers) == len(known) == len(part.owners):
            raise NotAligned("the columns or the answers do not fit the model")
        own = one_hot(bin_numbers(columns, part.cuts), np.array([len(means) for means in part.means]))
        blocks = [own]
        for peer, bits, where in zip(part.peers, answers, known, strict=True):
            block = np.zeros((rows, peer.outputs), dtype=np.bool_)
            if bits is not None:
                block[where] = bits
            blocks.append(block)
        return blocks

    def _contributions(self, bits: Bool, means: list[list[float]]) -> Float64:
        """What columns add to the base rate, float64 [n, columns]."""
        added, first = np.zeros((len(bits), len(means))), 0
        for column, by_bin in enumerate(means):
            block = bits[:, first : first + len(by_bin)]
            differences = np.array(by_bin) - self._part.base_rate
            added[:, column] = np.where(block.any(axis=1), differences[block.argmax(axis=1)], 0.0)
            first += len(by_bin)
        return added / self._columns
