"""The small problems: conditions that every minimum meets, and scikit-learn's solution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet

from vfl.linear_model.loss import LOSSES
from vfl.linear_model.solver import Penalty, minimise, quadratic_minimum


def random_problem(seed, k):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k + 2, k))
    return root.T @ root, rng.normal(size=k) * 3, rng


@given(seed=st.integers(0, 2**20), k=st.integers(1, 6), l1=st.floats(0, 5), bounded=st.booleans())
def test_the_quadratic_minimum_meets_its_conditions(seed, k, l1, bounded):
    """Inside its bounds a coefficient has no slope left, at 0 or at a bound none that leads away."""
    Q, b, _ = random_problem(seed, k)
    high = np.full(k, 0.3 if bounded else np.inf)
    penalty = Penalty(Q * 0, b * 0, np.full(k, l1), -high, high)
    t = quadratic_minimum(Q, b, penalty, np.zeros(k))
    slope = Q @ t + b
    for j in range(k):
        right, left = slope[j] + (l1 if t[j] >= 0 else -l1), slope[j] - (l1 if t[j] <= 0 else -l1)
        assert t[j] >= high[j] - 1e-9 or right >= -1e-6
        assert t[j] <= -high[j] + 1e-9 or left <= 1e-6


def test_flat_directions_are_left_alone():
    """Of columns that repeat each other the sum is fitted, and nothing grows without bounds."""
    Q = np.array([[1.0, 1.0], [1.0, 1.0]])
    t = quadratic_minimum(Q, np.array([-1.0, -1.0]), Penalty.ridge(np.zeros((2, 2))), np.zeros(2))
    np.testing.assert_allclose(t, [0.5, 0.5])


def test_elastic_net_equals_scikit_learns():
    """Squared loss with both penalties, as scikit-learn's coordinate descent solves it."""
    rng = np.random.default_rng(0)
    X, l1, l2 = rng.normal(size=(200, 6)), 20.0, 10.0
    y = X @ np.array([2.0, -1.0, 0, 0, 0, 0.1]) + rng.normal(size=200)
    zero = np.zeros(6)
    penalty = Penalty(np.eye(6) * l2, zero, zero + l1, zero - np.inf, zero + np.inf)
    t = minimise(LOSSES["squared"], X, np.zeros(200), y, np.ones(200), penalty, zero)
    alpha = (l1 + l2) / 200
    judge = ElasticNet(alpha=alpha, l1_ratio=l1 / (l1 + l2), fit_intercept=False, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(t, judge.coef_, atol=1e-8)


@pytest.mark.parametrize("start", [0.0, 5.0, -30.0])
def test_any_start_leads_to_the_minimum(start):
    """Steps are shortened until they improve, so Newton's method does not run away."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    t = minimise(
        LOSSES["poisson"], X, np.zeros(300), y, np.ones(300), Penalty.ridge(np.eye(3)), np.full(3, start)
    )
    slope = X.T @ (np.exp(X @ t) - y) + t
    np.testing.assert_allclose(slope, 0, atol=1e-4)
