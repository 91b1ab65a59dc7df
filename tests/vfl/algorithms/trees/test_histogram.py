"""Histograms are exact sums over known values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.histogram import node_histogram


def naive(bins, n_bins, gradients, rows, features):
    """One addition a row and feature, in Python's exact integers."""
    sums = []
    for feature in features:
        of_bin = [[0, 0] for _ in range(n_bins[feature])]
        for row in rows:
            if bins[row, feature] < n_bins[feature]:
                of_bin[bins[row, feature]][0] += int(gradients[0, row])
                of_bin[bins[row, feature]][1] += int(gradients[1, row])
        sums += of_bin
    return sums


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_sums_equal_one_addition_at_a_time(seed, rows, n_bins):
    """Any node's sums over any features equal Python's integers, missing codes left out."""
    rng = np.random.default_rng(seed)
    n_bins = np.array(n_bins)
    bins = np.stack([rng.integers(0, count + 1, rows) for count in n_bins], axis=1).astype(np.uint8)
    gradients = rng.integers(-(2**45), 2**45, (2, rows)).astype(np.float64)
    of_node = np.flatnonzero(rng.random(rows) < 0.5)
    features = np.flatnonzero(rng.random(len(n_bins)) < 0.7)
    sums = node_histogram(bins, n_bins, gradients, of_node, features)
    assert sums.astype(object).tolist() == naive(bins, n_bins, gradients, of_node, features) or not sums.size
    assert sums.shape == (n_bins[features].sum(), 2)


@pytest.mark.parametrize("magnitude", [2**20, 2**39])
def test_sibling_is_parent_less_child_exactly(magnitude):
    """Sums below 2^53 lose nothing, so subtraction gives the sibling's sums to the last bit."""
    rng = np.random.default_rng(0)
    bins = rng.integers(0, 9, (4000, 3)).astype(np.uint8)
    n_bins, features = np.array([8, 8, 8]), np.arange(3)
    gradients = rng.integers(-magnitude, magnitude, (2, 4000)).astype(np.float64)
    left = rng.random(4000) < 0.3
    parent, child, sibling = (
        node_histogram(bins, n_bins, gradients, np.flatnonzero(rows), features)
        for rows in (left | True, left, ~left)
    )
    assert np.array_equal(parent - child, sibling)
