"""Directions of a feature party: Newton's, orthogonal, few, and with an honest penalty."""

import numpy as np
import pytest

from vfl.algorithms.linear.directions import Directions


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
    assert directions.offered == 2


def cost(w):
    return 0.25 * w @ w + 2.0 * np.abs(w).sum()


def told(offered, t):
    return 0.5 * t @ offered.square @ t + offered.linear @ t


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_the_l1_penalty_told_is_never_too_small(t):
    """On the way to a step that changes signs it bounds the true change, and is exact at both ends."""
    _, directions, rng = make(l1=2.0, l2=0.5)
    first = rng.normal(size=4)
    offered = directions.offer(first)
    assert offered.bounded
    directions.combine(offered.base + offered.mixing @ np.ones(1))
    np.testing.assert_allclose(directions.w, first)
    offered = directions.offer(-2 * first)  # every coefficient changes its sign
    assert offered.bounded
    assert offered.values is None  # nothing that the label party does not have
    before = directions.w
    directions.combine(offered.base + offered.mixing @ np.array([t]))
    change = cost(directions.w) - cost(before)
    assert told(offered, np.array([t])) >= change - 1e-9
    if t in (0.0, 1.0):
        np.testing.assert_allclose(told(offered, np.array([t])), change, atol=1e-9)


def test_while_no_sign_changes_all_that_keeps_zeros_is_free():
    """Of three directions the two combinations that leave a zero coefficient zero, at the true penalty."""
    _, directions, rng = make(l1=2.0, l2=0.5)
    for step in ([1.0, -1.0, 0.5, 2.0], [0.0, 0.0, -0.5, 0.0]):
        offered = directions.offer(np.array(step))
        directions.combine(offered.base + offered.mixing @ np.ones(1))
    np.testing.assert_allclose(directions.w, [1, -1, 0, 2])
    assert directions.w[2] == 0
    offered = directions.offer(np.array([0.1, 0.1, 0.0, -0.1]))
    assert not offered.bounded
    assert offered.mixing.shape == (3, 2)
    here = offered.mixing.T @ directions._coefficients
    there = here + 0.01 * rng.normal(size=2)
    before = directions.w
    directions.combine(offered.mixing @ there)
    assert directions.w[2] == 0
    change = cost(directions.w) - cost(before)
    np.testing.assert_allclose(told(offered, there) - told(offered, here), change, atol=1e-9)


def test_where_signs_were_left_the_way_back_is_offered():
    """The label party cannot see that a coefficient has crossed zero; it may go as far as the first zero."""
    _, directions, _ = make(l1=2.0, l2=0.5)
    first = directions.offer(np.array([1.0, 2.0, 1.0, 1.0]))
    directions.combine(first.base + first.mixing @ np.ones(1))
    offered = directions.offer(np.array([-0.1, -0.1, 0.0, 0.0]))
    before = directions.w
    assert not offered.bounded
    directions.combine(directions._coefficients + np.array([0.0, 50.0]))
    crossed = directions.w
    assert (before * crossed < 0).any()
    back = directions.offer(np.full(4, 0.1))
    assert back.bounded
    assert back.values is None
    directions.combine(back.base + back.mixing @ np.ones(1))
    assert (directions.w == 0).any()
    assert (before * directions.w >= 0).all()
    np.testing.assert_allclose(told(back, np.ones(1)), cost(directions.w) - cost(before), atol=1e-9)
