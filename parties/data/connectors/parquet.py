"""Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from vfl.errors import DataError


def read(path: Path) -> pd.DataFrame:
    """Return a Parquet file as a table.

    Raises:
        DataError: there is no such file, or it is not Parquet.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            return file.read().to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; correct data.source") from None
    except (OSError, pa.ArrowException):
        raise DataError(f"{path} is not a Parquet file") from None
