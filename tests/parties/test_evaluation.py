"""Measures of a model, judged by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from parties.evaluation import evaluation
from vfl.errors import DataError
from vfl.table import LabelTable


def table(labels: list[float]) -> LabelTable:
    count = len(labels)
    columns = np.zeros((count, 1), np.float32)
    return LabelTable([str(n) for n in range(count)], ["x"], columns, np.array(labels, np.float32))


def test_measures_are_those_of_scikit_learn_on_the_judged_rows() -> None:
    """Only the judged rows count, and each measure is what scikit-learn says of them."""
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.3).astype(float)
    scores = (labels * 0.3 + rng.random(400)).astype(np.float32)
    judged = rng.random(400) < 0.5
    found = evaluation(table(labels.tolist()), scores, judged, "validation")
    false_positive, true_positive, _ = metrics.roc_curve(
        labels[judged], scores[judged], drop_intermediate=False
    )
    assert (found.rows, found.positives) == (int(judged.sum()), int(labels[judged].sum()))
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(labels[judged], scores[judged]))
    assert found.pr_auc == pytest.approx(metrics.average_precision_score(labels[judged], scores[judged]))
    assert found.ks == pytest.approx((true_positive - false_positive).max())
    assert found.recall_at_5_percent_fpr == pytest.approx(true_positive[false_positive <= 0.05].max())


def test_labels_must_be_0_and_1() -> None:
    """Amounts cannot be ranked as fraud or not."""
    with pytest.raises(DataError, match="labels 0 and 1"):
        evaluation(table([0.0, 2.5]), np.zeros(2, np.float32), None, "source")
