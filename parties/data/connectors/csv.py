"""Comma-separated text in UTF-8 with one header line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vfl.errors import DataError


def read(path: Path, *, keys: Sequence[str], missing: Sequence[str] = ()) -> pd.DataFrame:
    """Return a CSV file as a table. Key columns stay the text they are, leading zeros included.

    Args:
        missing: texts that mean a missing value, besides the empty one. Nothing else is taken for it:
            an unexpected ``n/a`` is for the owner to decide on.

    Raises:
        DataError: there is no such file, or it is not CSV.
    """
    try:
        names = pd.read_csv(path, header=None, nrows=1, dtype=str, na_filter=False).iloc[0]
        # Read by position: pandas would rename repeated columns, and then nobody could report them.
        text = {position: str for position, name in enumerate(names) if name in keys}
        frame = pd.read_csv(
            path,
            header=None,
            skiprows=1,
            names=range(len(names)),
            index_col=False,
            converters=text,
            keep_default_na=False,
            na_values=["", *missing],
            low_memory=False,
        )
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; correct data.source") from None
    except (OSError, ValueError, IndexError):
        # pandas' own text may quote a line of the file.
        raise DataError(f"{path} is not a UTF-8 CSV file with a header and rows of one length") from None
    frame.columns = list(names)
    return frame
