"""Sampling is seeded and takes the numbers of rows and columns that it should."""

import numpy as np
import pytest

from vfl.params import TreeParams
from vfl.trees.sampling import sample_columns, sample_rows


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


def test_rows_are_drawn_among_training_rows_only():
    """Validation rows are never drawn; about the asked share of the others is."""
    training = np.arange(20_000) % 4 != 0
    drawn = sample_rows(training, TreeParams(subsample=0.5), np.random.default_rng(0))
    assert not (drawn & ~training).any()
    assert 0.47 < drawn.sum() / training.sum() < 0.53


def test_a_whole_sample_is_every_training_row():
    """With ``subsample`` 1 nothing is drawn out."""
    training = np.array([True, False, True])
    assert sample_rows(training, TreeParams(), np.random.default_rng(0)).tolist() == [True, False, True]
