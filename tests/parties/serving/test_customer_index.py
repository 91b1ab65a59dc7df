"""Customers looked up by key."""

from __future__ import annotations

import numpy as np
import pytest

from parties.data.connectors.table import Table
from parties.data.rows import Rows
from parties.serving.customer_index import CustomerIndex
from vfl.psi.alignment import Alignment
from vfl.psi.identifiers import Recipe, prepare

KEYS = ["a", "b", "c", "d"]


def population(*, unchanged: bool = True) -> CustomerIndex:
    columns = np.arange(8, dtype=np.float32).reshape(4, 2)
    identifiers = prepare({"id": KEYS}, Recipe.parse(["id: upper"]))
    loaded = Rows(Table({"id": KEYS}, ["x", "y"], columns, None, None, None, None), identifiers)
    alignments = {
        "telco": Alignment.fix("1", "telco", "left", b"k" * 32, ["C", "A"]),
        "shop": Alignment.fix("2", "shop", "left", b"k" * 32, ["GONE", "C"]),
    }
    return CustomerIndex(loaded, alignments, unchanged=unchanged)


def test_customers_are_found_in_rows_and_in_every_alignment() -> None:
    """-1 stands for nowhere; customers may repeat."""
    found = population().find(["C", "A", "nobody", "C", "B"])
    assert found.rows.tolist() == [2, 0, -1, 2, 1]
    assert found.positions["telco"].tolist() == [0, 1, -1, 0, -1]
    assert found.positions["shop"].tolist() == [1, -1, -1, 1, -1]
    assert found.aligned.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_customer_that_left_the_rows_is_still_aligned(unchanged: bool) -> None:
    """Its own columns have to be given, and partners can be asked about it."""
    found = population(unchanged=unchanged).find(["GONE"])
    assert (found.rows.tolist(), found.aligned.tolist()) == ([-1], [True])
    assert found.positions["shop"].tolist() == [0]


def test_rows_that_have_changed_leave_the_unknown_in_doubt() -> None:
    """A customer that no partner knows may have come later: not aligned."""
    assert population(unchanged=False).find(["A", "B"]).aligned.tolist() == [True, False]


def test_own_columns_are_missing_for_who_is_not_there() -> None:
    """A row of -1 has no value, and the others their own."""
    columns = population().columns(np.array([3, -1]))
    assert columns[0].tolist() == [6.0, 7.0]
    assert np.isnan(columns[1]).all()


def test_one_key_that_cannot_be_read_does_not_spoil_the_others() -> None:
    """Broken Unicode is an empty key, and so is an empty text."""
    assert population().keys({"id": ["a", "\ud800", "", "b"]}) == ["A", "", "", "B"]
