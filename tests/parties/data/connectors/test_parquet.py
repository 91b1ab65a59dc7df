"""Parquet files: types are kept, and what is no Parquet file is refused by its path."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from parties.data.connectors import parquet
from vfl.errors import DataError


def test_types_are_those_of_the_file(tmp_path: Path) -> None:
    """Text stays text and whole numbers whole."""
    frame = pd.DataFrame({"id": ["007", "8"], "age": [31, 40]})
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    pd.testing.assert_frame_equal(parquet.read(tmp_path / "rows.parquet"), frame, check_dtype=False)


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    """Missing or of another form."""
    for content in (None, b"id,age\n1,2\n"):
        if content is not None:
            (tmp_path / "rows.parquet").write_bytes(content)
        with pytest.raises(DataError, match=r"rows\.parquet"):
            parquet.read(tmp_path / "rows.parquet")
