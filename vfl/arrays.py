"""The kinds of arrays, named once; and the check of a table of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError

Bool = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.uint32]
Limbs = npt.NDArray[np.uint64]
"""Numbers as little-endian words of 64 bits, [n, limbs]."""
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
Bins = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""The bin of each value, [rows, columns]; a missing value has the code after the last bin of its column."""


def check_columns(columns: Float32) -> None:
    """Raise DataError unless ``columns`` is float32 [rows, columns] without an infinity."""
    if columns.ndim != 2 or columns.dtype != np.float32:
        raise DataError(f"Columns must be a float32 table, not {columns.dtype} of {columns.ndim} dimensions")
    infinite = np.flatnonzero(np.isinf(columns).any(axis=0))
    if len(infinite):
        raise DataError(f"Columns {infinite.tolist()} hold an infinite value: replace it or leave it missing")
