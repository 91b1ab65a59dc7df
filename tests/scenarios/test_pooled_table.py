"""The judge's table: the rows, columns and keys that the parties see."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios import pooled_table
from scenarios.consortium import Consortium


def test_columns_join_by_canonical_key(consortium: Consortium) -> None:
    """Each of the bank's rows gets the bureau's column by key, missing where the bureau knows nobody."""
    table = pooled_table.scored(consortium, consortium.directory / "bank.csv")
    bank = pd.read_csv(consortium.directory / "bank.csv")
    bureau = pd.read_csv(consortium.directory / "bureau.csv")
    bureau.index = bureau["person"].str.strip().str.upper()
    expected = bank["customer_id"].map(bureau["delays"]).to_numpy(np.float32)
    np.testing.assert_array_equal(table.columns[:, table.own], expected)
    np.testing.assert_array_equal(table.columns[:, 0], bank["age"])
    np.testing.assert_array_equal(table.labels, bank["default"])
    np.testing.assert_array_equal(table.known, ~np.isnan(expected))


def test_training_rows_follow_the_secret_order(consortium: Consortium) -> None:
    """The training table holds the bank's rows, all of them, and not in the order of its file."""
    table = pooled_table.trained_on(consortium)
    ages = pd.read_csv(consortium.directory / "bank.csv")["age"].to_numpy()
    assert sorted(table.columns[:, 0]) == sorted(ages)
    assert list(table.columns[:, 0]) != list(ages)
    assert not table.known[-60:].any(), "rows that nobody else knows come last"
