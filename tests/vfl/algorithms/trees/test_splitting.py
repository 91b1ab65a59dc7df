"""The vectorised search finds what XGBoost's enumeration, one candidate after the other, finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.splitting import Criterion, Sums, best_split

BITS = 8
f32 = np.float32


def scalar_gain(G, H, params):
    g, h = G / 2**BITS, H / 2**BITS
    if h <= 0:
        return f32(0)
    alpha = float(f32(params.reg_alpha))
    shrunk = g - alpha if g > alpha else g + alpha if g < -alpha else 0.0
    penalty = float(f32(params.reg_lambda))
    if not params.max_delta_step:
        return f32(shrunk * shrunk) / f32(h + penalty)
    w = 0.0 if h < float(f32(params.min_child_weight)) else -shrunk / (h + penalty)
    limit = float(f32(params.max_delta_step))
    w = f32(min(max(w, -limit), limit))
    return -(f32(2) * f32(g) * w + (f32(h) + f32(penalty)) * (w * w))


def enumerate_splits(histogram, n_bins, node, allowed, params):
    """Forward, then backward where rows are missing; a later candidate must be strictly better."""
    best = (f32(0), None)
    least = float(f32(params.min_child_weight)) * 2**BITS

    def offer(feature, bin_, default_left, left):
        nonlocal best
        right = node[0] - left[0], node[1] - left[1]
        if left[1] < least or right[1] < least:
            return
        gain = scalar_gain(*left, params) + scalar_gain(*right, params) - scalar_gain(*node, params)
        if gain > best[0]:
            best = gain, (feature, bin_, default_left, left, right)

    for feature in np.flatnonzero(allowed):
        sums = [tuple(map(float, row)) for row in histogram[feature, : n_bins[feature]]]
        seen = (0.0, 0.0)
        for bin_, (g, h) in enumerate(sums):
            seen = seen[0] + g, seen[1] + h
            offer(feature, bin_, False, seen)
        if seen != node:
            seen = (0.0, 0.0)
            for bin_, (g, h) in reversed(list(enumerate(sums))):
                seen = seen[0] + g, seen[1] + h
                offer(feature, bin_ - 1, True, (node[0] - seen[0], node[1] - seen[1]))
    gain, split = best
    if split is None or gain <= f32(1e-6) or gain < f32(params.gamma) or 0 in (split[3][1], split[4][1]):
        return None
    return (gain, *split)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.4]),
    st.sampled_from([0.0, 1.0]),
)
def test_search_equals_enumeration(seed, n_bins, min_child_weight, alpha, max_delta_step, reg_lambda):
    """On small integers, where equal gains abound, feature, bin, direction, sums and gain bits agree."""
    rng = np.random.default_rng(seed)
    params = TreeParams(
        min_child_weight=min_child_weight,
        reg_alpha=alpha,
        max_delta_step=max_delta_step,
        reg_lambda=reg_lambda,
        gamma=float(rng.choice([0.0, 0.5])),
    )
    histogram, node = random_node(rng, n_bins)
    allowed = rng.random(len(n_bins)) < 0.8
    found = best_split(histogram, np.array(n_bins), Sums(*node), allowed, Criterion(params, BITS))
    expected = enumerate_splits(histogram, n_bins, node, allowed, params)
    if expected is None:
        assert found is None
        return
    gain, feature, bin_, default_left, left, right = expected
    assert (found.feature, found.bin, found.default_left) == (feature, bin_, default_left)
    assert (found.left, found.right) == (Sums(*left), Sums(*right))
    assert found.gain == gain


def random_node(rng, n_bins):
    """Sums of one node by feature, a third of its rows missing in each; past a feature's bins lies junk.

    Half of the nodes have gradients of few values, so that many candidates are equally good.
    """
    unit = rng.choice([1, 64])
    rows = np.stack(
        [rng.integers(-384 // unit, 385 // unit, 20), rng.integers(0, 256 // unit, 20)], axis=1
    ) * float(unit)
    rows = rows[: rng.integers(1, 20)]
    histogram = np.full((len(n_bins), max(n_bins) + 1, 2), 999.0)
    for feature, count in enumerate(n_bins):
        histogram[feature, :count] = 0
        for row, missing in zip(rows, rng.random(len(rows)) < 0.3, strict=True):
            if not missing:
                histogram[feature, rng.integers(0, count)] += row
    return histogram, tuple(map(float, rows.sum(axis=0)))


def test_equal_features_fall_to_the_lower_number():
    """Of two identical columns the first one wins."""
    of_feature = [[-400.0, 800.0], [400.0, 800.0]]
    criterion = Criterion(TreeParams(), BITS)
    found = best_split(
        np.array([of_feature, of_feature]), np.array([2, 2]), Sums(0.0, 1600.0), np.ones(2, bool), criterion
    )
    assert (found.feature, found.bin, found.default_left) == (0, 0, False)


def test_missing_rows_may_stand_alone_on_either_side():
    """Where all known rows belong together, missing rows get a child to themselves."""
    criterion = Criterion(TreeParams(), BITS)
    for sign in (1.0, -1.0):
        known = np.array([[[sign * 900.0, 1000.0]]])
        found = best_split(known, np.array([1]), Sums(0.0, 2000.0), np.ones(1, bool), criterion)
        assert (found.bin, found.default_left) == (0, False)  # equally good with missing left: first wins
        assert found.left == Sums(sign * 900.0, 1000.0)


def test_a_gain_of_a_millionth_is_none():
    """XGBoost's least gain is 1e-6 even where ``gamma`` is 0: just above it a node splits, below not."""
    bits = 20
    for gain, splits in ((0.9e-6, False), (1.2e-6, True)):
        g = round(np.sqrt(gain) * 2**bits)  # two children of hessian 1 and lambda 1: g^2 in all
        histogram = np.array([[[-g, 2**bits], [g, 2**bits]]], dtype=np.float64)
        criterion = Criterion(TreeParams(), bits)
        node = Sums(0.0, 2.0 * 2**bits)
        found = best_split(histogram, np.array([2]), node, np.ones(1, bool), criterion)
        assert (found is not None) == splits


@pytest.mark.parametrize("allowed", [True, False])
def test_a_feature_left_out_cannot_win(allowed):
    """Column sampling's mask decides whether a feature is looked at."""
    histogram = np.array([[[-400.0, 800.0], [400.0, 800.0]]])
    criterion = Criterion(TreeParams(), BITS)
    found = best_split(histogram, np.array([2]), Sums(0.0, 1600.0), np.array([allowed]), criterion)
    assert (found is not None) == allowed


def test_a_node_is_ruled_out_only_where_no_split_can_be():
    """`can_split` is False for a weight below twice the least child's, and for none at all."""
    criterion = Criterion(TreeParams(min_child_weight=1.0), BITS)
    assert criterion.can_split(Sums(0.0, 2.0 * 2**BITS))
    assert not criterion.can_split(Sums(0.0, 2.0 * 2**BITS - 1))
    assert not Criterion(TreeParams(min_child_weight=0.0), BITS).can_split(Sums(0.0, 0.0))
