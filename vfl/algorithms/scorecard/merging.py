"""Which neighbouring pre-bins become one bin, from their counts alone.

A merge is given by ``ends``, int64 ascending: the last pre-bin of each bin, the last of all being the last
pre-bin.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from vfl.algorithms.scorecard.params import BinningParams, Monotone
from vfl.algorithms.scorecard.woe import Counts, information_value
from vfl.arrays import Float64, Integers

LEAST_GAIN = 1e-12
"""Information value that one more bin must add: neighbours of equal event rates stay one bin."""


def merged(counts: Counts, ends: Integers) -> Counts:
    """The counts of bins from those of pre-bins, [pre-bins] to [bins]."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    return Counts(np.add.reduceat(counts.rows, starts), np.add.reduceat(counts.events, starts))


def merge_bins(counts: Counts, totals: Counts, params: BinningParams) -> Integers:
    """Merge pre-bins as the parameters say; returns ``ends``.

    Args:
        counts: of a column's pre-bins [n], missing values in a bin of their own left out.
        totals: of all rows.
        params: of the job. Where its minimums cannot be kept, all pre-bins are one bin.
    """
    minimums = np.array([params.min_fraction * counts.rows.sum(), params.min_events, params.min_events])
    if params.merging == "optimal":
        return optimal_merge(counts, totals, params.max_bins, minimums, params.monotone)
    ends = np.arange(len(counts.rows))
    if params.merging == "chi_merge":
        ends = chi_merge(counts, params.max_bins, params.significance)
    bins = merged(counts, ends)
    positions = merge_small(np.stack([bins.rows, bins.events, bins.nonevents], axis=1), minimums)
    return ends[positions]


def merge_small(quantities: Float64, minimums: Float64) -> Integers:
    """Merge what is below a minimum, the smallest first, with the neighbour of less; returns ``ends``.

    Args:
        quantities: float64 [bins, k]; the first is the size that "smallest" and "less" are about. Of equals
            the left is taken.
        minimums: float64 [k].
    """
    left = [row for row in quantities]
    ends = list(range(len(left)))
    while len(left) > 1:
        short = [i for i, row in enumerate(left) if (row < minimums).any()]
        if not short:
            break
        i = min(short, key=lambda position: float(left[position][0]))
        sides = [side for side in (i - 1, i + 1) if 0 <= side < len(left)]
        low = min(i, min(sides, key=lambda position: float(left[position][0])))
        left[low : low + 2] = [left[low] + left[low + 1]]
        del ends[low]
    return np.array(ends, dtype=np.int64)


def chi_merge(counts: Counts, max_bins: int, significance: float) -> Integers:
    """ChiMerge (Kerber, ChiMerge: discretization of numeric attributes, AAAI 1992); returns ``ends``.

    Merges the two neighbours whose labels differ least by the chi-square test of their two by two table
    (without continuity correction), the left of equals, until all neighbours differ at the level
    ``significance`` and there are ``max_bins`` bins at most.
    """
    # Chi-square with one degree of freedom is the square of a normal variable.
    threshold = NormalDist().inv_cdf(1 - significance / 2) ** 2
    ends = np.arange(len(counts.rows))
    while len(ends) > 1:
        statistics = _chi_square(merged(counts, ends))
        closest = int(np.argmin(statistics))
        if statistics[closest] >= threshold and len(ends) <= max_bins:
            break
        ends = np.delete(ends, closest)
    return ends


def _chi_square(bins: Counts) -> Float64:
    """[bins - 1] of each bin and the next; 0 where a margin is empty."""
    a, b = bins.events[:-1], bins.nonevents[:-1]
    c, d = bins.events[1:], bins.nonevents[1:]
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    statistic = (a + b + c + d) * (a * d - b * c) ** 2
    return np.divide(statistic, margins, out=np.zeros_like(margins), where=margins > 0)


def optimal_merge(
    counts: Counts, totals: Counts, max_bins: int, minimums: Float64, monotone: Monotone | None = None
) -> Integers:
    """The contiguous merge with the largest information value, by dynamic programming; returns ``ends``.

    The value of the best bins that end with pre-bins i to j depends only on the best that end with i - 1,
    event rates in order, so all is tried in time of the cube of the number of pre-bins. `optbinning` states
    the same problem as an integer program. Of equal values the one with fewer bins is taken.

    Args:
        counts: of the pre-bins [n].
        totals: of all rows.
        max_bins: most bins.
        minimums: float64 [3], of rows, events and non-events of every bin. If no merge keeps them, all
            pre-bins are one bin.
        monotone: of event rates, see `BinningParams`.
    """
    spans = _spans(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = information_value(spans, totals)
    allowed = np.triu(np.ones(value.shape, dtype=np.bool_))
    for quantity, least in zip((spans.rows, spans.events, spans.nonevents), minimums, strict=True):
        allowed &= quantity >= least
    value = np.where(allowed, value, -np.inf)
    rate = spans.event_rate
    any_shape = np.zeros_like(rate)
    orders = {"ascending": [rate], "descending": [-rate], "either": [rate, -rate], None: [any_shape]}
    chains = [_best_chain(value, order, max_bins) for order in orders[monotone]]
    return max(chains, key=lambda chain: chain[0])[1]


def _spans(counts: Counts) -> Counts:
    """Counts [n, n] of pre-bins i to j taken together; nothing below the diagonal."""

    def sums(counts: Float64) -> Float64:
        until = np.concatenate([[0.0], np.cumsum(counts)])
        return np.triu(until[None, 1:] - until[:-1, None])

    return Counts(sums(counts.rows), sums(counts.events))


def _best_chain(value: Float64, order: Float64, max_bins: int) -> tuple[float, Integers]:
    """The best chain of bins (i, j) over all pre-bins along which ``order`` does not fall.

    Args:
        value, order: float64 [n, n] by first and last pre-bin of a bin; a bin of value -inf is not allowed.

    Returns:
        The sum of the values, and ``ends``.
    """
    n = len(value)
    best = np.where(np.arange(n)[:, None] == 0, value, -np.inf)  # of chains whose last bin is i to j
    steps: list[Integers] = []  # by number of bins less 2: where the bin before (i, j) starts
    top, ends = float(best[0, -1]), np.array([n - 1], dtype=np.int64)
    for _ in range(1, min(max_bins, n)):
        longer = np.full((n, n), -np.inf)
        before = np.zeros((n, n), dtype=np.int64)
        for i in range(1, n):
            fits = order[:i, i - 1, None] <= order[None, i, i:]
            chains = np.where(fits, best[:i, i - 1, None], -np.inf)
            before[i, i:] = np.argmax(chains, axis=0)
            longer[i, i:] = chains.max(axis=0) + value[i, i:]
        best = longer
        steps.append(before)
        start = int(np.argmax(best[:, -1]))
        if best[start, -1] > top + LEAST_GAIN:
            top, ends = float(best[start, -1]), _trace(steps, start)
    return top, ends


def _trace(steps: list[Integers], start: int) -> Integers:
    """The last pre-bin of each bin of the chain whose last bin starts at ``start``."""
    ends = [len(steps[0]) - 1]
    for before in reversed(steps):
        ends.append(start - 1)
        start = int(before[start, ends[-2]])
    return np.array(ends[::-1], dtype=np.int64)
