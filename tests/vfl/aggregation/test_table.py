"""The label party's rows: which are aligned, and which count."""

import numpy as np
import pytest

from vfl.aggregation.table import LabelTable
from vfl.errors import NotAligned
from vfl.psi.alignment import Alignment

COLUMNS = np.zeros((4, 1), np.float32)


def table(weights=None):
    return LabelTable(["A", "B", "C", "D"], ["x"], COLUMNS, np.ones(4, np.float32), weights)


def aligned(identifiers):
    return Alignment.fix("a1", "telco", "left", bytes(32), identifiers)


def test_aligned_customers_are_found_wherever_they_stand():
    """The rows come in the order of the alignment."""
    assert table().rows_of(aligned(["D", "A", "C"])).tolist() == [3, 0, 2]
    assert table().rows_of(aligned([])).tolist() == []


def test_a_customer_that_the_table_lacks_is_told_by_number_alone():
    """The message counts customers and names none."""
    with pytest.raises(NotAligned, match="2 of 3 customers of alignment a1") as caught:
        table().rows_of(aligned(["X-17", "A", "X-18"]))
    assert "X-1" not in str(caught.value)


def test_rows_that_are_left_out_have_no_weight():
    """They stay in the table, so that no other row changes its place, and the table itself is not changed."""
    rows = np.array([False, True, False, True])
    weights = np.array([2, 3, 4, 5], dtype=np.float32)
    weighted = table(weights)
    assert weighted.without(rows).weights.tolist() == [2, 0, 4, 0]
    assert weighted.weights.tolist() == [2, 3, 4, 5]
    equal = table().without(rows)
    assert equal.weights.tolist() == [1, 0, 1, 0]
    assert equal.weights.dtype == np.float32
    assert equal.identifiers == table().identifiers


def test_without_rows_to_leave_out_nothing_changes():
    """A table of equal weights stays one."""
    assert table().without(np.zeros(4, bool)).weights is None
