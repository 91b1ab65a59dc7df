"""Scores of rows whose label is known: of the label party alone, with each partner, and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vfl.aggregation.table import LabelTable
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Bool, Float32
from vfl.errors import DataError
from vfl.model.part import LabelPart
from vfl.model.predictor import Answers
from vfl.psi.alignment import Alignment

TOGETHER = "together"
"""Name of the view of all parties."""

RowsAre = Literal["validation", "training", "source"]
"""Which rows: left out of training, those of training where none were, or of another source."""


@dataclass(frozen=True)
class EvaluationData:
    """Rows whose label is known, with their scores in several views.

    Attributes:
        model: its name.
        rows_are: which rows.
        columns: float32 [n, f], the label party's own.
        labels: float32 [n], 0 or 1.
        weights, amounts, days: as in `LabelTable`.
        partners: by view the partners whose columns took part: none, then each alone where there are
            several, then all.
        scores: by view float32 [n].
    """

    model: str
    rows_are: RowsAre
    columns: Float32
    labels: Float32
    weights: Float32 | None
    amounts: Float32 | None
    days: npt.NDArray[np.int64] | None
    partners: dict[str, list[str]]
    scores: dict[str, Float32]

    @property
    def together(self) -> Float32:
        """The scores of all parties, float32 [n]."""
        return self.scores[TOGETHER]


def score_views(
    table: LabelTable,
    part: LabelPart,
    bank_only: LabelPart,
    answers: Sequence[Answers],
    alignments: Mapping[str, Alignment],
    *,
    label_party: str,
    model: str,
    rows_are: RowsAre,
    counted: Bool,
) -> EvaluationData:
    """Score rows in every view from one answer of each partner.

    The label party alone is scored by ``bank_only``; the label party with some partners by the joint model,
    the columns of the others counted as missing by trees, and as their means by linear models.

    Args:
        table: the rows, with labels.
        bank_only: the model of the label party's columns alone.
        answers: what ``vfl.scoring.label_party.ask_all`` returned for these alignments.
        counted: bool [n], the rows that count.

    Raises:
        DataError: labels other than 0 and 1.
    """
    if not set(np.unique(table.labels)) <= {0.0, 1.0}:
        raise DataError("evaluation is for labels 0 and 1")
    rows_in_label_table = [table.rows_of(alignments[peer]) for peer in part.owners]
    alone, joint = ALGORITHMS.predictor(bank_only), ALGORITHMS.predictor(part)

    def score(partners: list[str]) -> Float32:
        if not partners:
            return alone.predict(table.columns)[counted]
        peer_answers = [
            answer if peer in partners else None for peer, answer in zip(part.owners, answers, strict=True)
        ]
        return joint.predict(table.columns, peer_answers, rows_in_label_table)[counted]

    partners: dict[str, list[str]] = {f"{label_party} alone": []}
    if len(part.owners) > 1:
        partners |= {f"+ {peer}": [peer] for peer in part.owners}
    partners[TOGETHER] = list(part.owners)
    return EvaluationData(
        model=model,
        rows_are=rows_are,
        columns=table.columns[counted],
        labels=table.labels[counted],
        weights=None if table.weights is None else table.weights[counted],
        amounts=None if table.amounts is None else table.amounts[counted],
        days=None if table.days is None else table.days[counted],
        partners=partners,
        scores={name: score(view) for name, view in partners.items()},
    )
