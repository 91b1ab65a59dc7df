"""Merges of pre-bins, judged by trying all of them, by optbinning's integer program and by scipy's test."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from vfl.algorithms.scorecard.merging import chi_merge, merge_bins, merge_small, merged, optimal_merge
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.woe import Counts, information_value

NO_MINIMUM = np.zeros(3)


def counts(seed, bins=9, rows=2000, rate=0.2):
    rng = np.random.default_rng(seed)
    of = rng.multinomial(rows, rng.dirichlet(np.full(bins, 5.0)))
    events = rng.binomial(of, np.clip(rng.normal(rate, 0.1, bins), 0.02, 0.9))
    return Counts(of.astype(float), events.astype(float))


def totals_of(*parts):
    return Counts(
        np.array([sum(p.rows.sum() for p in parts)]), np.array([sum(p.events.sum() for p in parts)])
    )


def value(of, totals, ends):
    return float(information_value(merged(of, ends), totals).sum())


def every_merge(n, max_bins):
    """All ways to merge n pre-bins into at most so many bins."""
    for k in range(min(max_bins, n)):
        for inner in combinations(range(n - 1), k):
            yield np.array([*inner, n - 1])


def in_order(of, ends, monotone):
    step = np.diff(merged(of, ends).event_rate)
    rising, falling = (step >= 0).all(), (step <= 0).all()
    return {"ascending": rising, "descending": falling, "either": rising or falling, None: True}[monotone]


@pytest.mark.parametrize("monotone", [None, "ascending", "descending", "either"])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimal_merge_is_the_best_of_all(seed, monotone):
    """No contiguous merge that keeps the limits has more information value, missing rows in the totals."""
    of = counts(seed)
    totals = totals_of(of, counts(seed + 100, bins=1, rows=300))
    minimums = np.array([0.08 * of.rows.sum(), 10.0, 10.0])
    found = optimal_merge(of, totals, 5, minimums, monotone)
    allowed = []
    for ends in every_merge(9, 5):
        bins = merged(of, ends)
        enough = all(
            (q >= m).all() for q, m in zip((bins.rows, bins.events, bins.nonevents), minimums, strict=True)
        )
        if enough and in_order(of, ends, monotone):
            allowed.append(value(of, totals, ends))
    assert len(found) <= 5
    assert in_order(of, found, monotone)
    assert value(of, totals, found) == pytest.approx(max(allowed), rel=1e-12)


@pytest.mark.parametrize(
    ("monotone", "theirs"), [(None, None), ("ascending", "ascending"), ("descending", "descending")]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_optimal_merge_is_optbinnings(seed, monotone, theirs):
    """Given the same pre-bins and limits, the integer program of optbinning finds the same bins."""
    optbinning = pytest.importorskip("optbinning", reason="optbinning, the outside judge, is not installed")
    of = counts(seed, bins=8)
    x = np.repeat(np.arange(8.0), of.rows.astype(int))
    y = np.concatenate(
        [np.arange(r) < e for r, e in zip(of.rows.astype(int), of.events, strict=True)]
    ).astype(int)
    judge = optbinning.OptimalBinning(
        user_splits=np.arange(0.5, 7.0), monotonic_trend=theirs, max_n_bins=4, min_bin_size=0.1
    ).fit(x, y)
    least = np.ceil(0.1 * len(x))
    ends = optimal_merge(of, totals_of(of), 4, np.array([least, 0, 0]), monotone)
    assert value(of, totals_of(of), ends) >= judge.binning_table.build()["IV"]["Totals"] - 1e-9
    assert (ends[:-1] + 0.5).tolist() == judge.splits.tolist()


def test_where_no_merge_keeps_the_limits_all_is_one_bin():
    """Minimums that no split can keep leave a single bin."""
    of = counts(1)
    assert optimal_merge(of, totals_of(of), 5, np.array([0.9 * of.rows.sum(), 0, 0])).tolist() == [8]


def test_neighbours_of_equal_rates_stay_one_bin():
    """A cut that adds no information value is not made."""
    of = Counts(np.array([100.0, 200.0, 100.0]), np.array([10.0, 20.0, 30.0]))
    assert optimal_merge(of, totals_of(of), 3, NO_MINIMUM).tolist() == [1, 2]


@given(
    rows=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    least=st.integers(1, 40),
)
def test_small_bins_are_merged_and_no_others(rows, least):
    """Every bin reaches the minimum if all rows do, none is lost, and nothing is merged where all did."""
    ends = merge_small(np.array(rows, dtype=float)[:, None], np.array([float(least)]))
    sizes = merged(Counts(np.array(rows, dtype=float), np.zeros(len(rows))), ends).rows
    assert sizes.sum() == sum(rows)
    assert ends[-1] == len(rows) - 1
    assert (sizes >= min(least, sum(rows))).all()
    if min(rows) >= least:
        assert len(ends) == len(rows)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), level=st.sampled_from([0.5, 0.05, 0.001]), max_bins=st.integers(2, 9))
def test_chi_merge_stops_where_scipys_test_says(seed, level, max_bins):
    """All neighbours left differ at the level, by scipy's test, and there are no more bins than allowed."""
    of = counts(seed)
    bins = merged(of, chi_merge(of, max_bins, level))
    assert len(bins.rows) <= max_bins
    for i in range(len(bins.rows) - 1):
        pair = np.array([bins.events[i : i + 2], bins.nonevents[i : i + 2]])
        assert chi2_contingency(pair, correction=False).statistic >= chi2.isf(level, 1) - 1e-9


def test_chi_merge_merges_the_most_alike_first():
    """Of three bins the two with the nearer rates are joined."""
    of = Counts(np.full(3, 100.0), np.array([10.0, 50.0, 55.0]))
    assert chi_merge(of, 2, 0.999).tolist() == [0, 2]


@pytest.mark.parametrize("merging", ["none", "chi_merge", "optimal"])
def test_every_kind_of_merging_keeps_the_minimums(merging):
    """Share, events and non-events of each bin are at least what the parameters ask."""
    of = counts(3, bins=15, rate=0.03)
    params = BinningParams(merging=merging, min_fraction=0.1, min_events=4.0)
    bins = merged(of, merge_bins(of, totals_of(of), params))
    assert len(bins.rows) > 1
    assert (bins.rows >= 0.1 * of.rows.sum()).all()
    assert bins.enough(4.0).all()
