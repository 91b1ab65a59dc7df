"""Coordinates of a party's columns."""

import numpy as np
import pytest

from vfl.algorithms.secret_shared.whitening import Basis, bits_of
from vfl.errors import DataError


def correlated(rows=500, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, 5)) @ rng.normal(size=(5, 5))
    return columns * [1, 10, 0.1, 1, 1]


def test_curvature_and_penalty_together_are_one_multiple_of_the_identity():
    """Whatever the columns' scales, correlations and penalties; to the rounding of coordinates."""
    columns, square = correlated(), np.array([0.0, 3.0, 3.0, 3.0, 3.0])
    basis = Basis.from_columns(columns, square)
    bound = basis.columns.T @ basis.columns / 4 + basis.penalty
    np.testing.assert_allclose(bound / (len(columns) / 4), np.eye(5), atol=2e-3)


def test_coordinates_give_the_same_predictor_and_penalty():
    """As the columns with the coefficients that the transform says."""
    columns, square = correlated(), np.full(5, 2.0)
    basis = Basis.from_columns(columns, square)
    t = np.arange(5.0)
    w = basis.transform @ t
    np.testing.assert_allclose(basis.columns @ t, columns @ w, atol=2e-2)
    np.testing.assert_allclose(t @ basis.penalty @ t, 2.0 * w @ w, rtol=1e-9)


def test_whole_coordinates_are_the_coordinates_and_fit_their_bits():
    """Exactly; and half of what their bits can hold is not passed."""
    basis = Basis.from_columns(correlated(), np.ones(5))
    assert (basis.whole * 2.0**-9 == basis.columns).all()
    assert np.abs(basis.whole).max() < 2 ** (basis.bits - 1)
    assert basis.bits == bits_of(basis.exponent)
    assert np.abs(basis.columns).max() >= 2.0 ** (basis.exponent - 1)


def test_columns_that_repeat_others_leave_fewer_coordinates():
    """A copy and a column of zeros add none; without a penalty they could not be told apart."""
    columns = correlated()
    basis = Basis.from_columns(np.column_stack([columns, columns[:, 0], np.zeros(len(columns))]), np.zeros(7))
    assert basis.width == 5


def test_every_basis_is_turned_afresh():
    """The same columns twice give different coordinates of the same length."""
    first, second = (Basis.from_columns(correlated(), np.ones(5)).columns for _ in range(2))
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_allclose((first**2).sum(axis=1), (second**2).sum(axis=1), rtol=0.05, atol=0.05)


def test_columns_without_content_are_refused():
    """Nothing can be learned from zeros."""
    with pytest.raises(DataError, match="leave them out"):
        Basis.from_columns(np.zeros((10, 2)), np.zeros(2))
