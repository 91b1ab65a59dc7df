"""A step of two parties on ciphertexts against the same step on numbers."""

import numpy as np
import pytest

from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer, to_wire
from vfl.algorithms.secret_shared.cross_products import FeatureSums, LabelSums
from vfl.algorithms.secret_shared.fourier import LARGEST_TERM, NO_PHASES, Series
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
    return Basis.from_columns(columns[:, :k], np.ones(k)), Basis.from_columns(columns[:, k:], np.ones(f)), y


def joined(label_basis, feature_basis, private_key, other_key):
    """Both parties' keys at work."""
    n, k, f = len(label_basis.columns), label_basis.width, feature_basis.width
    label = Ciphers(private_key, "short", Peer(other_key.public_key, f, feature_basis.exponent), n)
    feature = Ciphers(other_key, "short", Peer(private_key.public_key, k, label_basis.exponent), n)
    return label, feature


def test_a_step_on_ciphertexts_is_a_step_on_numbers(private_key, other_key):
    """Within what rounding of weights and harmonics adds at most, added up over rows and terms."""
    ours, theirs, _ = bases()
    k, f, n = ours.width, theirs.width, len(ours.columns)
    series = Series.fit(-0.5)
    cross = ours.columns.T @ theirs.columns
    plan = Plan.from_cross_products(n, cross, (ours.penalty, theirs.penalty), 0.3, series)
    start = np.random.default_rng(1).normal(size=k + f)
    masks = np.random.default_rng(2).integers(-(2**60), 2**60, k + f).tolist()
    left = [round(value / UNIT) - mask for value, mask in zip(start, masks, strict=True)]
    a, b = joined(ours, theirs, private_key, other_key)
    constant, none, here, there = [3 << GRADIENT_BITS] * (k + f), [0] * (k + f), slice(0, k), slice(k, k + f)
    label = GradientStep(a, ours, here, there, plan, left, constant, series.phases)
    feature = GradientStep(b, theirs, there, here, plan, masks, none, NO_PHASES)
    ours_masked, our_masks = label.predictors(feature.encrypted_weights())
    theirs_masked, their_masks = feature.predictors(label.encrypted_weights())
    theirs_sums = feature.harmonic_sums(their_masks, ours_masked)
    our_sums = label.harmonic_sums(our_masks, theirs_masked)
    for rows in (slice(0, 100), slice(100, n)):
        for receiver, sender in ((our_sums, theirs_sums), (theirs_sums, our_sums)):
            receiver.add(sender.encrypted(rows), rows)
    (our_masked, our_shares), (their_masked, their_shares) = our_sums.masked(), theirs_sums.masked()
    label.step(our_sums, our_shares, their_masked)
    feature.step(theirs_sums, their_shares, our_masked)
    moved = [UNIT * (x + y) for x, y in zip(label.weights.now, feature.weights.now, strict=True)]

    columns = np.hstack([ours.columns, theirs.columns])
    gradient = columns.T @ (series.value(columns @ start) - series.constant) + 3
    expected = start - plan.gain @ gradient - plan.damping @ start
    amplitudes = np.repeat(series.amplitudes, 2)
    units = np.repeat([2.0**ours.exponent, 2.0**theirs.exponent], [k, f])
    weight = sum(amplitudes[which].sum() / (2 ** (bits - 1) - 1) for which, bits in WEIGHT_BITS)
    term = amplitudes.sum() * (np.abs(columns).sum(axis=0) + n * units / 1023) / LARGEST_TERM
    rounding = (n * units * weight + term) / 2
    assert (np.abs(moved - expected) <= np.abs(plan.gain) @ rounding + 1e-5).all()
    assert np.abs(moved - expected).max() < 0.01 < np.abs(expected - start).max()


@pytest.mark.parametrize("k", [3, 25])
def test_cross_sums_and_shares_of_labels(private_key, other_key, k):
    """Products of coordinates to their rounding, labels' sums exactly; a row in one and in two plaintexts."""
    ours, theirs, y = bases(k=k)
    a, b = joined(ours, theirs, private_key, other_key)
    label, feature = LabelSums(a, ours, y), FeatureSums(b, theirs)
    assert label.plaintexts == feature.plaintexts == (1 if k == 3 else 2)
    for rows in (np.arange(60), np.arange(60, len(y))):
        feature.add(rows[0], b.residues(to_wire(label.ciphertexts(rows)), len(rows) * label.plaintexts))
    sums, masks, feature_parts = feature.masked()
    cross, label_shares = label.open(sums, masks)
    rounding = 2.0**ours.exponent / LARGEST_TERM / 2 * np.abs(theirs.columns).sum(axis=0)
    assert (np.abs(cross - ours.columns.T @ theirs.columns) <= rounding).all()
    gradient = [(x + y) / 2**GRADIENT_BITS for x, y in zip(label_shares, feature_parts, strict=True)]
    np.testing.assert_allclose(gradient, theirs.columns.T @ (0.5 - y), rtol=1e-5)
    assert min(abs(share) for share in feature_parts) > 2**80
