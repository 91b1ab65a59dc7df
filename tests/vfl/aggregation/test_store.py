"""Rows are opened only where both parties mean the same ones."""

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.store import open_rows
from vfl.errors import NotAligned, StateError


@pytest.fixture
def party(consortium):
    customers = [f"C{i}" for i in range(6)]
    frame = pd.DataFrame({"a": np.arange(6), "b": -np.arange(6)}, index=customers, dtype=np.float32)
    return consortium(pd.DataFrame({"x": np.zeros(4)}, index=customers[:4]), {"telco": frame}).parties[
        "telco"
    ]


def test_columns_come_in_the_order_of_the_alignment(party):
    """One row for each aligned customer, and no other."""
    alignment = party.alignments["rows"]
    names, columns = open_rows(party, "rows", alignment.fingerprint)
    assert names == ["a", "b"]
    assert [f"C{int(value)}" for value in columns[:, 0]] == alignment.identifiers
    assert sorted(alignment.identifiers) == ["C0", "C1", "C2", "C3"]


@pytest.mark.parametrize("change", ["another", "shorter", "none"])
def test_another_fingerprint_opens_nothing(party, change):
    """Columns are not even read where the ordered rows differ."""
    right = party.alignments["rows"].fingerprint
    wrong = {"another": bytes([right[0] ^ 1]) + right[1:], "shorter": right[:-1], "none": b""}[change]
    party.frame = None
    with pytest.raises(NotAligned, match="align again"):
        open_rows(party, "rows", wrong)


def test_an_alignment_that_is_not_there_is_no_ones_rows(party):
    """The store says that it has none of that name."""
    with pytest.raises(StateError, match="no such alignment"):
        open_rows(party, "other", bytes(32))
