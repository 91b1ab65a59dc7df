"""The one order of rows that all parties of a job follow.

XGBoost's quantile sketch depends on the order of rows. Alignments made together follow one secret order
of the label party's rows. In that order the label party sketches its own columns and encrypts its rows,
and in that order the pooled table would give XGBoost the same cut points (rows missing in a column do not
move them).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfl.arrays import Integers
from vfl.psi.alignment import Alignment


def common_order(
    n: int, rows_in_label_table: Sequence[Integers], alignments: Sequence[Alignment]
) -> Integers:
    """Return every row of the label party once: those that a feature party knows in their secret order.

    Rows that no feature party knows follow as they are. Where alignments were not made together, there
    is no common order: rows are only mixed, and a stream of ciphertexts suits one party less.

    Args:
        n: rows of the label party.
        rows_in_label_table: by feature party, the label party's rows of its alignment.
        alignments: by feature party, as the label party holds them.
    """
    place = np.full(n, np.iinfo(np.int64).max)
    for rows, alignment in zip(rows_in_label_table, alignments, strict=True):
        place[rows] = alignment.places
    return np.argsort(place, kind="stable")
