"""How well scores rank labels."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from vfl import metrics
from vfl.errors import DataError
from vfl.table import LabelTable


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of one set of rows, which ``rows_are``: ``validation``, ``training`` or ``source``."""

    rows_are: str
    rows: int
    positives: int
    roc_auc: float
    pr_auc: float
    ks: float
    recall_at_1_percent_fpr: float
    recall_at_5_percent_fpr: float


def evaluation(
    table: LabelTable, scores: npt.NDArray[np.float32], judged: npt.NDArray[np.bool_] | None, rows_are: str
) -> Evaluation:
    """Return the measures of the ``judged`` rows, or of all.

    Raises:
        DataError: labels other than 0 and 1, or all alike.
    """
    at = np.ones(len(scores), dtype=np.bool_) if judged is None else judged
    labels, scored = table.labels[at], scores[at]
    weights = None if table.weights is None else table.weights[at]
    if not set(np.unique(labels)) <= {0.0, 1.0}:
        raise DataError("evaluation is for labels 0 and 1")
    return Evaluation(
        rows_are=rows_are,
        rows=len(labels),
        positives=int(labels.sum()),
        roc_auc=metrics.roc_auc(labels, scored, weights),
        pr_auc=metrics.pr_auc(labels, scored, weights),
        ks=metrics.ks(labels, scored, weights),
        recall_at_1_percent_fpr=metrics.recall_at_fpr(labels, scored, 0.01, weights),
        recall_at_5_percent_fpr=metrics.recall_at_fpr(labels, scored, 0.05, weights),
    )
