"""Whether a score of 0.2 means that two rows in ten are positive."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64
from vfl.errors import DataError
from vfl.evaluation.metrics import sklearn_metrics

Array = npt.NDArray[Any]

BINS = 10


class Reliability(NamedTuple):
    """Rows in bins of rising score: arrays of one length, a bin each, empty bins left out.

    Attributes:
        weight: of the bin's rows; their number where rows weigh equally.
        predicted: mean score.
        observed: fraction of positive rows.
    """

    weight: Float64
    predicted: Float64
    observed: Float64

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean gap of predicted and observed, by the bins' weights."""
        gaps = np.abs(self.predicted - self.observed)
        return float(np.average(gaps, weights=self.weight))


def calibration_curve(
    label: Array, score: Array, weight: Array | None = None, bins: int = BINS
) -> Reliability:
    """Put rows into bins of nearly equal numbers of rows, by quantiles of the score.

    A score that equals a limit belongs to the bin below it, as in scikit-learn's ``calibration_curve`` with
    ``strategy="quantile"``; quantiles do not regard weights. Equal widths would put nearly all rows of a rare
    label into one bin.

    Raises:
        DataError: there are no rows, or a score is no probability.
    """
    if not len(score) or score.min() < 0 or score.max() > 1:
        raise DataError("Calibration needs rows whose scores are probabilities, 0 to 1")
    score = score.astype(np.float64)
    limits = np.quantile(score, np.arange(1, bins) / bins)
    bin_numbers = np.searchsorted(limits, score)
    weights = np.ones(len(score)) if weight is None else weight.astype(np.float64)
    total = np.bincount(bin_numbers, weights, bins).astype(np.float64)
    filled = total > 0
    predicted, observed = (
        np.bincount(bin_numbers, weights * values, bins)[filled] for values in (score, label)
    )
    return Reliability(total[filled], predicted / total[filled], observed / total[filled])


def brier(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean squared difference of scores, which are probabilities, and labels."""
    return float(sklearn_metrics().brier_score_loss(label, score.astype(np.float64), sample_weight=weight))
