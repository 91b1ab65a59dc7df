"""Customers to score, and their scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.archive import AlignmentRecord
from parties.rows import Rows
from vfl.psi.alignment import Alignment


class Population(NamedTuple):
    """Customers to score.

    record, alignments: how they are aligned with the peers, mode ``left``.
    rows: their own columns, those of the model alone.
    """

    record: AlignmentRecord
    alignments: dict[str, Alignment]
    rows: Rows


class Scores(NamedTuple):
    """Scores of a population.

    keys: for each key field the text of the source, one entry for each scored row.
    scores: ``float32[rows]``, what XGBoost's prediction would be.
    left_out: rows without a usable, unique key.
    """

    keys: dict[str, list[str]]
    scores: npt.NDArray[np.float32]
    left_out: int
