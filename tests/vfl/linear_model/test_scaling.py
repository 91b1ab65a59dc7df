"""Scaling as scikit-learn's, and rounding within its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from vfl.algorithms.linear.whole_numbers import LARGEST, PRODUCT_BITS, whole_columns, whole_products
from vfl.errors import DataError
from vfl.linear_model.scaling import Scaling


def test_scaling_is_scikit_learns_with_the_mean_for_what_is_missing():
    """Means and deviations of the values that are there; a missing value becomes 0."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(100, 3)) * [1, 1000, 1e-3] + [0, 5e4, 1]).astype(np.float32)
    x[::7, 1] = np.nan
    expected = np.nan_to_num(StandardScaler().fit_transform(x.astype(np.float64)))
    scaling = Scaling.fit(x, standardise=True)
    np.testing.assert_allclose(scaling.apply(x), expected, atol=1e-9)
    np.testing.assert_array_equal(scaling.unknown(), 0)
    plain = Scaling.fit(x, standardise=False)
    np.testing.assert_allclose(plain.apply(x)[1], x[1])
    np.testing.assert_allclose(plain.unknown(), np.nanmean(x.astype(np.float64), axis=0))


def test_constant_columns_add_nothing():
    """A column of one value is 0 everywhere, whatever rounding says of its deviation."""
    x = np.full((50, 1), 0.1, dtype=np.float32)
    np.testing.assert_allclose(Scaling.fit(x, standardise=True).apply(x), 0, atol=1e-9)


def test_values_beyond_the_limit_count_as_the_limit():
    """On both sides, in deviations of the values as they are; without standardising there is no limit."""
    columns = np.append(np.random.default_rng(0).normal(size=99), 1e3).astype(np.float32)[:, None]
    limited = Scaling.fit(columns, standardise=True, limit=3.0).apply(columns)
    free = Scaling.fit(columns, standardise=True).apply(columns)
    np.testing.assert_array_equal(limited, np.clip(free, -3, 3))
    np.testing.assert_array_equal(Scaling.fit(columns, standardise=False, limit=3.0).apply(columns), columns)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_columns_without_values_are_refused(value):
    """All values missing, or one infinite."""
    x = np.full((3, 2), value, dtype=np.float32)
    with pytest.raises(DataError):
        Scaling.fit(x, standardise=True)


NUMBERS = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_rounding_moves_an_entry_by_half_a_unit(rows):
    """A unit is 2^-23 of the column's largest entry."""
    x = np.array(rows, dtype=np.float64)
    whole, units = whole_columns(x)
    assert np.abs(whole).max() <= LARGEST
    assert (np.abs(whole * units - x) <= 0.5000001 * units).all()
    largest = np.abs(x).max(axis=0)
    assert (units <= np.where(largest > 0, largest, 1) / LARGEST).all()


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_products_keep_their_significant_bits(rows):
    """Every product is within 2^-PRODUCT_BITS of itself and half a unit."""
    x = np.array(rows, dtype=np.float64)
    made = list(whole_products(x))
    whole = np.stack([product for product, _ in made], axis=1)
    units = np.array([unit for _, unit in made])
    exact = np.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2], axis=1)
    assert np.abs(whole).max() <= LARGEST
    assert (np.abs(whole * units - exact) <= np.abs(exact) * 2.0**-PRODUCT_BITS + 1.001 * units).all()
