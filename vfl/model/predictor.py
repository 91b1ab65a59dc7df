"""The label party's part of a model made ready to score, whatever kind of model it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float32, Float64, Floats, Integers

Answers = npt.NDArray[Any]
"""What a feature party says of rows [rows, outputs]: direction bits by split, or partial scores by column."""

BLOCK_ROWS = 4096  # rows of a population that are gathered at once


class Predictor(Protocol):
    """The label party's part of a model, made ready to score one row or many.

    Scoring has three steps, since contributions start from the first of them: what all parties say of rows
    is gathered, gathered rows have margins, margins have scores. No step looks at two rows together, so a
    row's score has the same bits in a batch and alone.
    """

    def gather(
        self, columns: Float32, answers: Sequence[Answers | None], known: Sequence[Integers]
    ) -> Answers:
        """Put together what all parties say of rows.

        Args:
            columns: float32 [n, own columns], NaN where missing; own columns may be none.
            answers: by feature party [rows it knows, its outputs]; None for a party that did not answer.
            known: by feature party int64 [rows it knows]: which of the n rows each of them is.

        Raises:
            DataError: not a float32 table, or an infinite value.
            NotAligned: columns, or the answers, do not fit the part.
        """

    def margins(self, gathered: Answers) -> Floats:
        """The margins [n] of gathered rows: scores before the objective's link."""

    def scores(self, margins: Floats) -> Float32:
        """The predictions float32 [n] of margins: for a logistic objective probabilities of label 1."""

    def contributions(self, gathered: Answers) -> tuple[Float64, float]:
        """What each feature adds to the margins of gathered rows, and the base: together the margins.

        Returns:
            float64 [n, features], the label party's first, then each feature party's; and the base.
        """

    def reference_predictions(
        self, columns: Float32, answers: Sequence[Answers], known: Sequence[Integers]
    ) -> Floats:
        """The scores [n] that another library computes: in float32 to the last bit, or in float64."""

    def batch_margins(
        self, columns: Float32, answers: Sequence[Answers | None] = (), known: Sequence[Integers] = ()
    ) -> Floats:
        """The margins [n] of any number of rows, block by block; arguments and errors as for `gather`."""
        position = [_positions(len(columns), rows) for rows in known]
        parts = []
        for start in range(0, max(1, len(columns)), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            known_here = [np.flatnonzero(rank[block] >= 0) for rank in position]
            answers_here = [
                values if values is None else values[rank[block][rows]]
                for values, rank, rows in zip(answers, position, known_here, strict=True)
            ]
            parts.append(self.margins(self.gather(columns[block], answers_here, known_here)))
        return np.concatenate(parts)

    def predict(
        self, columns: Float32, answers: Sequence[Answers | None] = (), known: Sequence[Integers] = ()
    ) -> Float32:
        """The scores float32 [n] of any number of rows; arguments and errors as for `gather`."""
        return self.scores(self.batch_margins(columns, answers, known))


def _positions(n_rows: int, known: Integers) -> Integers:
    position = np.full(n_rows, -1, dtype=np.int64)
    position[known] = np.arange(len(known))
    return position
