"""The paired bootstrap: an interval for the difference of two ranking measures.

Each resample draws as many rows as there are, with replacement, and measures every set of scores on the same
draw: rows that are hard for one are hard for the other, and their differences vary less than they do alone.
Rows of each label are drawn among themselves (stratified), so the fraction of positive rows
is that of the data in every resample and never 0; the interval leaves out how this fraction may vary.
Intervals are percentiles (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

A resample is how often each row was drawn, and a measure on it is a weighted one over scores sorted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64
from vfl.errors import DataError

Array = npt.NDArray[Any]

LEVEL = 0.95
"""Coverage of an interval."""

CELLS = 2**20
"""Resamples times rows that are measured at once, 8 MB an array."""


class Interval(NamedTuple):
    """A difference, and the limits between which the middle `LEVEL` of the resamples lie."""

    difference: float
    low: float
    high: float


class Areas(NamedTuple):
    """ROC-AUC and PR-AUC of one set of scores, an entry a resample."""

    roc: Float64
    pr: Float64


def resampled(
    label: Array,
    scores: Mapping[str, Array],
    weight: Array | None = None,
    *,
    resamples: int = 1_000,
    seed: int = 0,
) -> dict[str, Areas]:
    """Measure sets of scores on the same resamples.

    Args:
        label: [n], 1 for a positive row, else 0.
        scores: by name a set of scores [n].
        weight: [n], of rows; equal by default.
        resamples: how many.
        seed: the same seed and labels draw the same rows.

    Raises:
        DataError: all labels are alike.
    """
    if len(np.unique(label)) != 2:
        raise DataError("The measure needs rows of both labels: check the label column and the rows chosen")
    rankings = {name: Ranking(label, score) for name, score in scores.items()}
    weights = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    areas: dict[str, list[tuple[Float64, Float64]]] = {name: [] for name in scores}
    for counts in _draws(label, resamples, np.random.default_rng(seed)):
        for name, ranking in rankings.items():
            areas[name].append(ranking.areas(counts * weights))
    return {name: Areas(*map(np.concatenate, zip(*parts, strict=True))) for name, parts in areas.items()}


def interval(difference: float, ours: Float64, base: Float64) -> Interval:
    """Return the percentile interval of a difference from both measures on the same resamples."""
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(ours - base, [outside, 1 - outside])
    return Interval(difference, float(low), float(high))


class Ranking:
    """Scores [n] sorted once, to be measured with any weights of the rows."""

    def __init__(self, label: Array, score: Array) -> None:
        self._order = np.argsort(-score, kind="stable")
        ranked = score[self._order]
        self._positive = label[self._order] == 1
        self._last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of rows of one score

    def areas(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return ROC-AUC and average precision [b] for weights [b, n], as scikit-learn defines them."""
        ranked = weights[:, self._order]
        true = _cumulated(np.where(self._positive, ranked, 0.0), self._last)
        false = _cumulated(np.where(self._positive, 0.0, ranked), self._last)
        positives = np.diff(true, axis=1)
        middle = (false[:, 1:] + false[:, :-1]) / 2
        roc = 1 - (positives * middle).sum(axis=1) / (true[:, -1] * false[:, -1])
        everything = true[:, 1:] + false[:, 1:]
        precision = np.divide(true[:, 1:], everything, out=np.zeros_like(everything), where=everything > 0)
        return roc, (positives * precision).sum(axis=1) / true[:, -1]


def _cumulated(weights: Float64, last: npt.NDArray[np.int64]) -> Float64:
    """Return [b, groups + 1]: 0, then the weight of all rows down to the end of each group."""
    sums = np.zeros((len(weights), len(last) + 1))
    sums[:, 1:] = np.cumsum(weights, axis=1)[:, last]
    return sums


def _draws(label: Array, resamples: int, random: np.random.Generator) -> Iterator[Float64]:
    """Yield how often each row was drawn, float64 [b, n], until there were enough resamples."""
    strata = [np.flatnonzero(label == 1), np.flatnonzero(label != 1)]
    step = max(1, CELLS // len(label))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        counts = np.empty((count, len(label)))
        for rows in strata:
            drawn = random.integers(len(rows), size=(count, len(rows))) + np.arange(count)[:, None] * len(
                rows
            )
            times = np.bincount(drawn.ravel(), minlength=count * len(rows))
            counts[:, rows] = times.reshape(count, len(rows))
        yield counts
