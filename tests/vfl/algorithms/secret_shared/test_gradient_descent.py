"""Steps on whole-number shares are the steps that one party would take on the numbers themselves."""

import secrets

import numpy as np
import pytest

from vfl.algorithms.secret_shared.fourier import Series
from vfl.algorithms.secret_shared.gradient_descent import UNIT, Plan, Weights, whole_gradient


def problem(seed=0, k=3, f=2, rows=1000):
    rng = np.random.default_rng(seed)
    cross = rng.uniform(-0.3, 0.3, (k, f)) * rows
    return Plan.from_cross_products(rows, cross, (np.eye(k), 2 * np.eye(f)), 0.2, Series.fit(-1.0))


def split(numbers):
    masks = [secrets.randbits(130) for _ in numbers]
    return [a - b for a, b in zip(numbers, masks, strict=True)], masks


def test_steps_on_shares_are_steps_on_numbers():
    """Twelve steps with masks of 130 bits end within a few units of the same steps in float64."""
    plan, rng = problem(), np.random.default_rng(1)
    start = rng.normal(size=5)
    ours, theirs = split([round(value / UNIT) for value in start])
    parties = Weights(plan, ours), Weights(plan, theirs)
    now = before = start
    for _ in range(12):
        gradient = rng.normal(size=5) * 100
        for weights, share in zip(parties, split(whole_gradient(gradient)), strict=True):
            weights.step(share)
        step = plan.momentum * (now - before) - plan.gain @ gradient - plan.damping @ now
        now, before = now + step, now
    found = np.array([(a + b) * UNIT for a, b in zip(parties[0].now, parties[1].now, strict=True)])
    np.testing.assert_allclose(found, now, atol=100 * UNIT)
    assert max(abs(share) for share in parties[0].now).bit_length() < 200


@pytest.mark.parametrize("curvature", [0.1, 0.5, 1.0])
def test_steps_shrink_the_distance_as_planned(curvature):
    """On a quadratic between the least curvature of the plan and the bound, in as many steps as it says."""
    rng = np.random.default_rng(0)
    cross = rng.uniform(-0.3, 0.3, (3, 2))
    plan = Plan.from_cross_products(1000, 1000 * cross, (np.eye(3), np.eye(2)), 0.2, Series.fit(-1.0))
    bound = 250 * np.block([[np.eye(3), cross], [cross.T, np.eye(2)]])
    solution = np.arange(1.0, 6.0)
    now = before = np.zeros(5)
    for _ in range(plan.steps(1e-3)):
        gradient = curvature * bound @ (now - solution)
        now, before = now - plan.gain @ gradient + plan.momentum * (now - before), now
    assert np.abs(now - solution).max() < 0.05  # of 5; at the bound a double root is slower


def test_parties_whose_columns_agree_do_not_make_steps_endless():
    """Coordinates that both hold alike: the gain stays finite."""
    plan = Plan.from_cross_products(100, 100 * np.eye(2), (np.eye(2), np.eye(2)), 0.5, Series.fit(0.0))
    assert np.isfinite(plan.gain).all()
    assert np.abs(plan.gain).max() < 100 * 4 / 100 * 4
