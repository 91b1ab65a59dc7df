"""The label party's rows as the library takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from vfl.arrays import Bool, Float32
from vfl.psi.alignment import Alignment


@dataclass(frozen=True)
class LabelTable:
    """The label party's rows.

    Attributes:
        identifiers: canonical keys [n], distinct.
        names: names [f] of its own columns.
        columns: float32 [n, f], NaN where missing.
        labels: float32 [n]; empty where only scoring is wanted.
        weights: float32 [n], or None for equal weights.
        amounts: float32 [n], what a row of label 1 costs where it is missed, or None.
        days: int64 [n], a number for the day of each row, or None.
    """

    identifiers: Sequence[str]
    names: Sequence[str]
    columns: Float32
    labels: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    weights: Float32 | None = None
    amounts: Float32 | None = None
    days: npt.NDArray[np.int64] | None = None

    def without(self, rows: Bool) -> LabelTable:
        """Return the table with no weight on some rows, bool [n]."""
        if not rows.any():
            return self
        weights = np.ones(len(rows), np.float32) if self.weights is None else self.weights
        return replace(self, weights=np.where(rows, np.float32(0), weights))

    def rows_of(self, alignment: Alignment) -> npt.NDArray[np.int64]:
        """Return int64 [aligned rows]: this table's row of each aligned customer.

        Raises:
            NotAligned: a customer of the alignment is not in the table.
        """
        return alignment.positions_in(self.identifiers)
