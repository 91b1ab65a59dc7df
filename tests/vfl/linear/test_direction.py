"""Directions of a feature party: Newton's, orthogonal, few, and with an honest penalty."""

import numpy as np
import pytest

from vfl.linear.direction import Directions


def make(rows=200, f=4, seed=0, **options):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, f)) @ rng.normal(size=(f, f))
    given = {"l2": 1.0, "l1": 0.0, "tol": 1e-9, "most": f} | options
    return X, Directions(X, **given), rng


def curve(directions, d, block):
    Z = directions.components
    rows, cols = np.triu_indices(Z.shape[1])
    directions.curve((Z[:, rows] * Z[:, cols]).T @ d, block)


def test_a_step_is_newtons_on_what_the_label_party_leaves():
    """The step solves the joint Newton system after the label party's columns are eliminated from it."""
    X, directions, rng = make()
    L, d, r = rng.normal(size=(200, 3)), rng.uniform(0.1, 1, 200), rng.normal(size=200)
    own = (L * d[:, None]).T @ L + 2.0 * np.eye(3)
    r = r - d * (L @ np.linalg.solve(own, L.T @ r))  # so that the label party's gradient is zero
    root = np.linalg.inv(np.linalg.cholesky(own)).T
    curve(directions, d, X.T @ (d[:, None] * (L @ root)))
    both = np.hstack([L, X])
    H = (both * d[:, None]).T @ both + np.diag([2.0] * 3 + [1.0] * 4)
    expected = -np.linalg.solve(H, np.concatenate([np.zeros(3), X.T @ r]))[3:]
    np.testing.assert_allclose(directions.step(X.T @ r), expected, rtol=1e-6)


def test_components_are_well_conditioned_whatever_the_columns():
    """Nearly equal columns, a repeated and a constant one give products of size one or none."""
    x = np.random.default_rng(0).normal(size=300)
    noise = np.random.default_rng(1).normal(size=300)
    X = np.stack([x, x + 1e-3 * noise, x, np.zeros(300)], axis=1)
    directions = Directions(X, l2=1.0, l1=0.0, tol=0.0, most=4)
    inner = directions.components.T @ directions.components / 300
    np.testing.assert_allclose(np.diag(inner), [0, 0, 1, 1], atol=1e-8)
    curve(directions, np.ones(300), np.zeros((4, 0)))
    step = directions.step(X.T @ x)
    np.testing.assert_allclose(step, -np.linalg.solve(X.T @ X + np.eye(4), X.T @ x), atol=1e-6)


def test_offered_values_are_orthogonal_and_the_penalty_is_that_of_the_coefficients():
    """Whatever the steps, values do not repeat one another, and square is l2 times the inner products."""
    X, directions, rng = make(l2=3.0)
    values = []
    for _ in range(3):
        offered = directions.offer(rng.normal(size=4))
        values.append(offered.values.astype(np.float64))
    inner = np.array(values) @ np.array(values).T / len(X)
    np.testing.assert_allclose(inner, np.eye(3), atol=1e-5)
    a = rng.normal(size=3)
    directions.combine(a)
    np.testing.assert_allclose(a @ offered.square @ a, 3.0 * directions.w @ directions.w)
    np.testing.assert_allclose(np.array(values).T @ a, X @ directions.w, atol=1e-5)


def test_nothing_is_offered_that_is_small_repeated_or_beyond_the_cap():
    """A step within the tolerance, one that earlier directions already span, and one too many."""
    _, directions, rng = make(tol=0.1, most=2)
    assert directions.offer(np.full(4, 0.1)) is None
    step = rng.normal(size=4)
    assert directions.offer(step) is not None
    assert directions.offer(-2 * step) is None
    assert directions.offer(rng.normal(size=4)) is not None
    assert directions.offer(rng.normal(size=4)) is None
    assert directions.offered == directions.live == 2


@pytest.mark.parametrize("a", [0.0, 0.4, 1.0])
def test_the_l1_penalty_told_is_never_too_small(a):
    """Along a fresh direction the told penalty bounds the true change, and is exact at 0 and 1."""
    _, directions, rng = make(l1=2.0, l2=0.5)

    def cost(w):
        return 0.25 * w @ w + 2.0 * np.abs(w).sum()

    first = rng.normal(size=4)
    assert directions.offer(first).fresh
    directions.combine(np.array([1.0]))
    before = directions.w
    offered = directions.offer(-2 * first)  # every coefficient changes its sign
    assert offered.fresh
    assert directions.live == 1
    directions.combine(np.array([a]))
    told = 0.5 * a * offered.square[0, 0] * a + offered.linear[0] * a
    change = cost(directions.w) - cost(before)
    assert told >= change - 1e-9
    if a in (0.0, 1.0):
        np.testing.assert_allclose(told, change, atol=1e-9)


def test_within_a_face_directions_stay_live_under_l1():
    """While no sign changes the penalty is linear, so earlier directions are kept and told exactly."""
    _, directions, rng = make(l1=2.0, l2=0.5)
    directions.offer(np.array([1.0, -1.0, 0.0, 2.0]))
    directions.combine(np.array([1.0]))
    offered = directions.offer(np.array([0.1, 0.1, 0.0, -0.1]))
    assert not offered.fresh
    assert directions.live == 2
    start, w = np.array([1.0, 0.0]), directions.w
    a = start + 0.01 * rng.normal(size=2)
    directions.combine(a)

    def told(a):
        return 0.5 * a @ offered.square @ a + offered.linear @ a

    def cost(w):
        return 0.25 * w @ w + 2.0 * np.abs(w).sum()

    np.testing.assert_allclose(told(a) - told(start), cost(directions.w) - cost(w), atol=1e-9)
