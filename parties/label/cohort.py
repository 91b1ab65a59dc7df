"""Customers of a label party: those that train, those to score, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.data import rows
from parties.data.rows import Rows
from parties.storage.model_store import AlignmentRecord
from vfl.aggregation.table import LabelTable
from vfl.errors import NotAligned
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
    scores: ``float32[rows]``, what the prediction of XGBoost, or of scikit-learn, would be.
    left_out: rows without a usable, unique key.
    """

    keys: dict[str, list[str]]
    scores: npt.NDArray[np.float32]
    left_out: int


def taking_part(record: AlignmentRecord, alignments: Mapping[str, Alignment], loaded: Rows) -> LabelTable:
    """Return the rows that take part: all of them, or in an inner alignment those known to all.

    Raises:
        NotAligned: the rows are not those that were aligned.
    """
    if rows.population(loaded.identifiers.keys) != record.population:
        raise NotAligned(f"the data has changed since alignment {record.alignment}; align again")
    if record.mode == "left":
        return loaded.label_table
    return loaded.only(next(iter(alignments.values()))).label_table
