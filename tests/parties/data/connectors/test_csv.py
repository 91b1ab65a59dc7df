"""CSV files: keys stay text, and an empty field is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.data.connectors import csv
from vfl.errors import DataError


def test_keys_are_text_and_numbers_are_numbers(tmp_path: Path) -> None:
    """A key keeps its zeros; a text that stands for a missing value is one where it is named."""
    (tmp_path / "rows.csv").write_text("id,age\n007,31\n8,n/a\n")
    frame = csv.read(tmp_path / "rows.csv", keys=["id"], missing=["n/a"])
    assert frame["id"].tolist() == ["007", "8"]
    assert frame["age"].tolist()[0] == 31
    assert frame["age"].isna().tolist() == [False, True]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With its path, so that it can be corrected."""
    with pytest.raises(DataError, match=r"rows\.csv"):
        csv.read(tmp_path / "rows.csv", keys=["id"])
