"""A step of two parties on ciphertexts against the same step on numbers."""

import numpy as np
import pytest

from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer
from vfl.algorithms.secret_shared.cross_products import FeatureSums, LabelSums
from vfl.algorithms.secret_shared.fourier import LARGEST_WAVE, NO_PHASES, Series
from vfl.algorithms.secret_shared.gradient_descent import GRADIENT_BITS, UNIT, Plan
from vfl.algorithms.secret_shared.gradient_step import WEIGHT_BITS, GradientStep
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.crypto.paillier import generate


@pytest.fixture(scope="module")
def other_key():
    return generate(2048)


def bases(rows=150, k=3, f=2, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, k + f)) @ (np.eye(k + f) + 0.3)
    columns[0] *= 5
    y = (columns.sum(axis=1) > 0).astype(float)
    return Basis.of(columns[:, :k], np.ones(k)), Basis.of(columns[:, k:], np.ones(f)), y


def joined(label_basis, feature_basis, private_key, other_key):
    """Both parties' keys at work."""
    n, k, f = len(label_basis.columns), label_basis.width, feature_basis.width
    label = Ciphers(private_key, "short", Peer(other_key.public_key, f, feature_basis.exponent), n)
    feature = Ciphers(other_key, "short", Peer(private_key.public_key, k, label_basis.exponent), n)
    return label, feature


def test_a_step_on_ciphertexts_is_a_step_on_numbers(private_key, other_key):
    """Within what rounding of weights and waves adds at most, added up over rows and waves."""
    ours, theirs, _ = bases()
    k, f, n = ours.width, theirs.width, len(ours.columns)
    series = Series.fit(-0.5)
    cross = ours.columns.T @ theirs.columns
    plan = Plan.of(n, cross, (ours.penalty, theirs.penalty), 0.3, series)
    start = np.random.default_rng(1).normal(size=k + f)
    masks = np.random.default_rng(2).integers(-(2**60), 2**60, k + f).tolist()
    left = [round(value / UNIT) - mask for value, mask in zip(start, masks, strict=True)]
    a, b = joined(ours, theirs, private_key, other_key)
    constant, none, here, there = [3 << GRADIENT_BITS] * (k + f), [0] * (k + f), slice(0, k), slice(k, k + f)
    label = GradientStep(a, ours, here, there, plan, left, constant, series.phases)
    feature = GradientStep(b, theirs, there, here, plan, masks, none, NO_PHASES)
    told = label.predictors(feature.encrypted_weights()), feature.predictors(label.encrypted_weights())
    feature.take_predictors(told[0])
    label.take_predictors(told[1])
    for rows in (slice(0, 100), slice(100, n)):
        for taker, giver in ((label, feature), (feature, label)):
            taker.take_waves(giver.encrypted_waves(rows), rows)
    sums = label.masked_sums(), feature.masked_sums()
    label.step(sums[1])
    feature.step(sums[0])
    moved = [UNIT * (x + y) for x, y in zip(label.weights.now, feature.weights.now, strict=True)]

    columns = np.hstack([ours.columns, theirs.columns])
    gradient = columns.T @ (series.value(columns @ start) - series.constant) + 3
    expected = start - plan.gain @ gradient - plan.damping @ start
    amplitudes = np.repeat(series.amplitudes, 2)
    units = np.repeat([2.0**ours.exponent, 2.0**theirs.exponent], [k, f])
    weight = sum(amplitudes[which].sum() / (2 ** (bits - 1) - 1) for which, bits in WEIGHT_BITS)
    wave = amplitudes.sum() * (np.abs(columns).sum(axis=0) + n * units / 1023) / LARGEST_WAVE
    rounding = (n * units * weight + wave) / 2
    assert (np.abs(moved - expected) <= np.abs(plan.gain) @ rounding + 1e-5).all()
    assert np.abs(moved - expected).max() < 0.01 < np.abs(expected - start).max()


@pytest.mark.parametrize("k", [3, 25])
def test_cross_sums_and_shares_of_labels(private_key, other_key, k):
    """Products of coordinates to their rounding, labels' sums exactly; a row in one and in two plaintexts."""
    ours, theirs, y = bases(k=k)
    a, b = joined(ours, theirs, private_key, other_key)
    label, feature = LabelSums(a, ours, y), FeatureSums(b, theirs)
    assert label.plaintexts == feature.plaintexts == (1 if k == 3 else 2)
    for rows in (slice(0, 60), slice(60, len(y))):
        feature.take(label.encrypted(rows), rows)
    sums, masks, feature_parts = feature.masked()
    cross, label_shares = label.take(sums, masks)
    rounding = 2.0**ours.exponent / LARGEST_WAVE / 2 * np.abs(theirs.columns).sum(axis=0)
    assert (np.abs(cross - ours.columns.T @ theirs.columns) <= rounding).all()
    found = [(x + y) / 2**GRADIENT_BITS for x, y in zip(label_shares, feature_parts, strict=True)]
    np.testing.assert_allclose(found, theirs.columns.T @ (0.5 - y), rtol=1e-5)
    assert min(abs(share) for share in feature_parts) > 2**80
