"""Columns as whole numbers: as close as promised, and small enough for the slots that sums have."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vfl.algorithms.linear.slots import WEIGHT_BITS
from vfl.algorithms.linear.whole_numbers import LARGEST, PRODUCT_BITS, whole_columns, whole_products

COLUMNS = arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(-1e6, 1e6))


@settings(deadline=None)
@given(columns=COLUMNS.filter(lambda x: ((x == 0) | (np.abs(x) > 1e-200)).all()))
def test_an_entry_moves_by_half_a_unit_at_most(columns):
    """The unit is so small that the largest entry of a column uses all bits of a weight."""
    whole, units = whole_columns(columns)
    assert whole.dtype == np.int64
    assert np.abs(whole).max() <= LARGEST < 2 ** (WEIGHT_BITS - 1)
    largest = np.abs(columns).max(axis=0)
    assert (np.abs(whole * units - columns) <= 0.501 * units).all()
    assert (np.abs(whole).max(axis=0) == np.where(largest > 0, LARGEST, 0)).all()


def test_a_column_of_zeros_stays_zero():
    """Its unit is some number that can be divided by."""
    whole, units = whole_columns(np.zeros((3, 1)))
    assert not whole.any()
    assert units[0] > 0


def test_products_come_in_the_order_of_the_upper_triangle():
    """Each pair of columns once, a column with itself included."""
    columns = np.random.default_rng(0).normal(size=(50, 3))
    products = list(whole_products(columns))
    pairs = list(zip(*np.triu_indices(3), strict=True))
    assert len(products) == len(pairs) == 6
    for (product, unit), (row, column) in zip(products, pairs, strict=True):
        exact = columns[:, row] * columns[:, column]
        assert (np.abs(product * unit - exact) <= 2.0**-PRODUCT_BITS * np.abs(exact) + unit).all()


@settings(deadline=None)
@given(columns=COLUMNS.filter(lambda x: ((x == 0) | (np.abs(x) > 1e-100)).all()))
def test_products_have_few_bits_and_fit_a_weight(columns):
    """Few distinct values make their sums cheap; none is larger than a weight may be."""
    for product, _ in whole_products(columns):
        sizes = np.abs(product[product != 0])
        assert sizes.max(initial=0) <= LARGEST
        lowest = sizes & -sizes
        few = sizes // lowest < 2**PRODUCT_BITS
        assert (few | (sizes == LARGEST)).all()
