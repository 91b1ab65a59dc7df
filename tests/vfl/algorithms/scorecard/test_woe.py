"""Weight of evidence and information value against optbinning and known numbers."""

import numpy as np
import pytest

from vfl.algorithms.scorecard.woe import Counts, information_value, weight_of_evidence


def test_values_are_optbinnings():
    """Weights of evidence and information values of all bins, missing values too, are those of optbinning."""
    optbinning = pytest.importorskip("optbinning", reason="optbinning, the outside judge, is not installed")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, 3000).astype(float)
    y = (rng.random(3000) < 0.1 + 0.05 * x).astype(int)
    x[rng.random(3000) < 0.1] = np.nan
    cuts = [1.0, 2.0, 3.0, 4.0]
    judge = optbinning.OptimalBinning(user_splits=cuts, user_splits_fixed=[True] * 4).fit(x, y)
    table = judge.binning_table.build()
    assert judge.splits.tolist() == cuts
    code = np.where(np.isnan(x), 5, np.searchsorted(cuts, x, side="right"))
    bins = Counts(np.bincount(code).astype(float), np.bincount(code, weights=y))
    totals = Counts(np.array([3000.0]), np.array([float(y.sum())]))
    theirs = table.iloc[[0, 1, 2, 3, 4, 6]]  # line 5 is of special values, of which there are none
    assert weight_of_evidence(bins, totals) == pytest.approx(theirs["WoE"].to_numpy(float), abs=1e-12)
    assert information_value(bins, totals) == pytest.approx(theirs["IV"].to_numpy(float), abs=1e-12)


def test_a_bin_safer_than_the_whole_is_positive():
    """The convention: ln of the share of non-events over the share of events."""
    bins = Counts(np.array([100.0, 100.0]), np.array([10.0, 30.0]))
    totals = Counts(np.array([200.0]), np.array([40.0]))
    expected = [np.log((90 / 160) / (10 / 40)), np.log((70 / 160) / (30 / 40))]
    assert weight_of_evidence(bins, totals) == pytest.approx(expected)
    assert information_value(bins, totals) == pytest.approx(
        [(90 / 160 - 10 / 40) * expected[0], (70 / 160 - 30 / 40) * expected[1]]
    )


def test_empty_cells_are_smoothed_or_neutral():
    """Half a row stands in for a label that a bin lacks; with a minimum asked such a bin is coded 0."""
    bins = Counts(np.array([50.0, 50.0, 0.0]), np.array([0.0, 20.0, 0.0]))
    totals = Counts(np.array([100.0]), np.array([20.0]))
    smoothed = np.log(50.5 / 80) - np.log(0.5 / 20)
    assert weight_of_evidence(bins, totals).tolist() == pytest.approx([smoothed, np.log(30 / 80), 0.0])
    assert weight_of_evidence(bins, totals, 1.0).tolist() == pytest.approx([0.0, np.log(30 / 80), 0.0])
    assert information_value(bins, totals, 1.0)[[0, 2]].tolist() == [0.0, 0.0]
