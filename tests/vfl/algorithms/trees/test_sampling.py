"""Sampling is seeded and takes the numbers of rows and columns that it should."""

import numpy as np
import pytest

from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.sampling import sample_columns, sample_rows
from vfl.errors import ParameterError


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.7, 7), (0.3, 3), (0.55, 5), (0.01, 1)])
def test_a_share_of_columns_is_rounded_down_but_never_to_none(share, count):
    """The whole part of the share is drawn, at least one, ascending and without repeats."""
    drawn = sample_columns(np.arange(100, 110), share, np.random.default_rng(0))
    assert len(drawn) == count
    assert (np.diff(drawn) > 0).all()
    assert set(drawn) <= set(range(100, 110))


def test_no_columns_stay_none():
    """A party without columns has none to draw."""
    assert sample_columns(np.arange(0), 0.5, np.random.default_rng(0)).size == 0


def rows_of(training, params, seed=0):
    rng = np.random.default_rng(seed)
    g, h = rng.normal(size=len(training)).astype(np.float32), np.ones(len(training), np.float32)
    return g, *sample_rows(training, g, h, params, rng)


def test_rows_are_drawn_among_training_rows_only():
    """Validation rows are never drawn; about the asked share of the others is."""
    training = np.arange(20_000) % 4 != 0
    _, drawn, _, _ = rows_of(training, TreeParams(subsample=0.5))
    assert not (drawn & ~training).any()
    assert 0.47 < drawn.sum() / training.sum() < 0.53


def test_a_whole_sample_is_every_training_row():
    """With ``subsample`` 1 nothing is drawn out."""
    training = np.array([True, False, True])
    _, drawn, _, _ = rows_of(training, TreeParams())
    assert drawn.tolist() == [True, False, True]


def test_one_side_sampling_keeps_the_largest_gradients_and_scales_the_rest():
    """All of the top rows train as they are, the drawn others scaled so that sums stay unbiased."""
    training = np.arange(20_000) % 4 != 0
    params = TreeParams(data_sample_strategy="goss", top_rate=0.2, other_rate=0.1)
    g, drawn, scaled, _ = rows_of(training, params)
    assert not (drawn & ~training).any()
    assert drawn.sum() == 4_500
    limit = np.sort(np.abs(g[training]))[-3_000]
    top = training & (np.abs(g) >= limit)
    assert drawn[top].all()
    np.testing.assert_array_equal(scaled[top], g[top])
    np.testing.assert_allclose(scaled[drawn & ~top], 8 * g[drawn & ~top], rtol=1e-6)
    draws = [rows_of(training, params, seed) for seed in range(5)]
    ratios = [np.abs(scaled[drawn]).sum() / np.abs(g[training]).sum() for g, drawn, scaled, _ in draws]
    assert abs(np.mean(ratios) - 1) < 0.02


def test_rates_that_cannot_be_are_refused():
    """One-side sampling cannot take more than all rows, nor be joined with ``subsample``."""
    with pytest.raises(ParameterError, match="top_rate"):
        TreeParams(data_sample_strategy="goss", top_rate=0.8, other_rate=0.3)
    with pytest.raises(ParameterError, match="subsample"):
        TreeParams(data_sample_strategy="goss", subsample=0.5)
