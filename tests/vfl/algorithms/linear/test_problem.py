"""The label party's half: the block it shows is turned, and rows stand for the customers they should."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfl.algorithms.linear.problem import KnownRows, Problem, rotation
from vfl.linear_model.params import LinearParams


def problem(rows=300, columns=4, seed=0, secret=b"secret", **params):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    y = (X[:, 0] + rng.logistic(size=rows) > 0).astype(float)
    made = Problem(LinearParams(**params), X, y, np.ones(rows), 1, secret)
    made.solve()
    return made, np.column_stack([np.ones(rows), X])


def test_the_block_is_the_columns_made_orthonormal_and_turned():
    """Its products leave of a Hessian what the own columns do not explain, turned by the secret."""
    made, X = problem(C=0.5)
    _, d = made.residuals()
    first, second = made.block(d, 27), problem(C=0.5, secret=b"other")[0].block(d, 27)
    P = np.diag([0.0] + [2.0] * 4)
    explained = (d[:, None] * X) @ np.linalg.inv((X * d[:, None]).T @ X + P) @ (d[:, None] * X).T
    np.testing.assert_allclose(first @ first.T, explained, atol=1e-10)
    np.testing.assert_allclose(second @ second.T, explained, atol=1e-10)
    assert np.abs(first - second).max() > 1e-3
    assert np.array_equal(made.block(d, 27), first)
    assert made.block(d, 2).shape == (300, 2)


def test_columns_without_a_coefficient_take_no_part():
    """Under an L1 penalty the block spans the intercept and the columns that are left."""
    made, _ = problem(C=0.02, l1_ratio=1.0)
    left = int(np.count_nonzero(made.own[1:]))
    assert left < 4
    assert made.block(made.residuals()[1], 27).shape[1] == 1 + left


def test_curvatures_are_told_once_they_have_changed():
    """First always, then not until they differ by more than a hundredth."""
    made, _ = problem()
    d = made.residuals()[1]
    assert [made.outdated(d * factor) for factor in (1, 1, 1.009, 1.02, 1.025, 0.9)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip


def test_a_direction_that_helps_lowers_the_gradient_along_it():
    """After solving no gradient is left along own columns and offered directions."""
    made, X = problem(C=0.5)
    v, offers = np.random.default_rng(1).normal(size=300), made.offered[0]
    offers.add(v)
    offers.set_constraints(np.zeros(1), np.eye(1), bounded=False, square=np.eye(1), linear=np.zeros(1))
    made.solve()
    r, _ = made.residuals()
    np.testing.assert_allclose(X.T @ r + np.array([0, 2, 2, 2, 2]) * made.own, 0, atol=1e-4)
    np.testing.assert_allclose(v @ r + offers.coefficients, 0, atol=1e-4)


def test_a_bounded_step_ends_at_1():
    """A step that should be longer is taken whole; what it does not move stays."""
    made, X = problem(C=100.0)
    offers = made.offered[0]
    offers.add(X[:, 1] * 0.1)
    offers.add(X[:, 2] * 1e-3)
    offers.coefficients = np.array([2.0, 0.0])
    room = np.array([2.0, 0.0]), np.array([[0.0], [3.0]])
    offers.set_constraints(*room, bounded=True, square=np.zeros((1, 1)), linear=np.full(1, -1.0))
    made.solve()
    np.testing.assert_allclose(offers.coefficients, [2.0, 3.0])
    np.testing.assert_allclose(offers.predictor(), X[:, 1] * 0.2 + X[:, 2] * 3e-3)


@given(n=st.integers(1, 30), seed=st.integers(0, 999))
def test_rows_stand_for_their_customers(n, seed):
    """Known rows first, one more for the sum of all others, and values spread back to the same rows."""
    rng = np.random.default_rng(seed)
    known = rng.permutation(n)[: rng.integers(0, n + 1)]
    rows, values = KnownRows(known, n), rng.integers(-9, 9, (n, 2))
    gathered = np.concatenate([values[known], rows.others(values)])
    assert len(gathered) == len(rows)
    np.testing.assert_array_equal(gathered.sum(axis=0), values.sum(axis=0))
    spread = rows.spread(np.arange(len(rows)))
    np.testing.assert_array_equal(spread[known], np.arange(len(known)))
    assert (np.delete(spread, known) == len(known)).all()


def test_rotations_are_orthogonal_and_only_the_same_for_the_same_columns():
    """Lengths and angles stay, and nothing else; another secret or another column turns otherwise."""
    rng = np.random.default_rng(0)
    for size in (0, 1, 7):
        turned = rotation(b"secret", rng.normal(size=(9, size)))
        np.testing.assert_allclose(turned.T @ turned, np.eye(size), atol=1e-12)
    columns = rng.normal(size=(9, 7))
    turned, moved = rotation(b"secret", columns), np.nextafter(columns, 9)
    assert np.array_equal(rotation(b"secret", columns.copy()), turned)
    assert np.abs(rotation(b"Secret", columns) - turned).max() > 1e-3
    assert np.abs(rotation(b"secret", moved) - turned).max() > 1e-3


def test_rotations_are_evenly_distributed():
    """Every entry of a rotation has mean 0 and variance 1 / size, whatever the columns."""
    drawn = np.array([rotation(b"%d" % i, np.ones((2, 3))) for i in range(2_000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=0.04)
