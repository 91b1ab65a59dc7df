"""Points of a scorecard, and the reasons for a low score.

A scorecard states the log odds of the logistic model in points: ``score = offset + factor * ln(odds)``, odds
being non-events to one event, ``factor = pdo / ln 2`` (Siddiqi, Credit Risk Scorecards, 2006). The model is
``ln(odds) = -(intercept + sum of coefficient * weight of evidence)``, so the score is a sum of points: a base
at the label party, and for each column points by bin that its owner computes alone from its own
coefficient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64, Integers
from vfl.errors import ParameterError


@dataclass(frozen=True)
class Scale:
    """How log odds become points; the same at all parties of a scorecard.

    Args:
        pdo: points that double the odds; negative where a high score is to mean a high risk.
        base_score: score at ``base_odds``.
        base_odds: non-events to one event.

    Raises:
        ParameterError: a number is not finite, ``pdo`` is 0 or ``base_odds`` is not above 0.
    """

    pdo: float = 20.0
    base_score: float = 600.0
    base_odds: float = 50.0

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.pdo, self.base_score, self.base_odds)))
        if not finite or self.pdo == 0 or self.base_odds <= 0:
            raise ParameterError("pdo must not be 0, base_odds must be above 0, and all must be finite")

    @property
    def factor(self) -> float:
        """Points for a factor of e in the odds."""
        return self.pdo / math.log(2)

    def base_points(self, intercept: float) -> float:
        """What every row has before its bins are looked at; the label party's."""
        return self.base_score - self.factor * (math.log(self.base_odds) + intercept)

    def points(self, woe: Float64, coefficients: Float64) -> Float64:
        """Points of weights of evidence [..., columns] under the coefficients [columns], same shape."""
        return np.asarray(-self.factor * coefficients * woe)

    def event_probability(self, score: Float64) -> Float64:
        """The model's probability of an event at a score; any shape."""
        log_odds = (score - self.base_score) / self.factor + math.log(self.base_odds)
        return 0.5 - 0.5 * np.tanh(0.5 * log_odds)


def reasons(lost: Float64, count: int) -> Integers:
    """The columns that cost each row most, the dearest first.

    Args:
        lost: float64 [rows, columns], how many points each column keeps a row below a reference; the parties'
            columns side by side.
        count: most reasons of a row.

    Returns:
        int64 [rows, min(count, columns)]: columns, the lower number first where two cost the same, and -1
        where no further column costs anything.
    """
    order = np.argsort(-lost, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(lost, order, axis=1) > 0, order, -1)
