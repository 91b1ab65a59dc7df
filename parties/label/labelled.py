"""Scores of rows whose label is known: of the label party alone, with each partner, and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError
from vfl.psi.alignment import Alignment
from vfl.scoring.kinds import AnyLabelShare, model_of
from vfl.scoring.model import Told
from vfl.table import LabelTable

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]

TOGETHER = "together"
"""Name of the view of all parties."""

RowsAre = Literal["validation", "training", "source"]
"""Which rows: kept out of training, those of training where none were, or of another source."""


@dataclass(frozen=True)
class LabelledScores:
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
    share: AnyLabelShare,
    bank_only: AnyLabelShare,
    told: Sequence[Told],
    alignments: Mapping[str, Alignment],
    *,
    label_party: str,
    model: str,
    rows_are: RowsAre,
    judged: Bool | None = None,
) -> LabelledScores:
    """Score rows in every view from one answer of each partner.

    The label party alone is scored by ``bank_only``; the label party with some partners by the joint model,
    the columns of the others counted as missing by trees, and as their means by linear models.

    Args:
        table: the rows, with labels.
        bank_only: the model of the label party's columns alone.
        told: what ``vfl.scoring.label_party.ask_all`` returned for these alignments.
        judged: bool [n], the rows that count; all by default.

    Raises:
        DataError: labels other than 0 and 1.
    """
    if not set(np.unique(table.labels)) <= {0.0, 1.0}:
        raise DataError("evaluation is for labels 0 and 1")
    at = np.ones(len(table.labels), dtype=np.bool_) if judged is None else judged
    known = [table.rows_of(alignments[peer]) for peer in share.owners]
    alone, joint = model_of(bank_only), model_of(share)

    def score(partners: list[str]) -> Float32:
        if not partners:
            return alone.predict(table.columns)[at]
        theirs = [of if peer in partners else None for peer, of in zip(share.owners, told, strict=True)]
        return joint.predict(table.columns, theirs, known)[at]

    partners: dict[str, list[str]] = {f"{label_party} alone": []}
    if len(share.owners) > 1:
        partners |= {f"+ {peer}": [peer] for peer in share.owners}
    partners[TOGETHER] = list(share.owners)
    return LabelledScores(
        model=model,
        rows_are=rows_are,
        columns=table.columns[at],
        labels=table.labels[at],
        weights=None if table.weights is None else table.weights[at],
        amounts=None if table.amounts is None else table.amounts[at],
        days=None if table.days is None else table.days[at],
        partners=partners,
        scores={name: score(of) for name, of in partners.items()},
    )
