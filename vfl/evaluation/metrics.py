"""Measures of predictions: scikit-learn's where it has them, under XGBoost's names.

Every measure takes labels [n], predictions [n] (probabilities where labels are 0 and 1) and sample
weights [n] or None. ``aucpr`` is the average precision, a step-wise area; XGBoost interpolates, so its
third digit may differ.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError

Array = npt.NDArray[Any]


@functools.cache
def sklearn_metrics() -> Any:
    """Return `sklearn.metrics`, which takes a second to import, and most commands need none of it."""
    from sklearn import metrics  # noqa: PLC0415

    return metrics


def roc_auc(label: Array, score: Array, weight: Array | None = None) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one."""
    _need_both(label)
    return float(sklearn_metrics().roc_auc_score(label, score, sample_weight=weight))


def pr_auc(label: Array, score: Array, weight: Array | None = None) -> float:
    """Average precision: the step-wise area under the precision-recall curve."""
    _need_both(label)
    return float(sklearn_metrics().average_precision_score(label, score, sample_weight=weight))


def ks(label: Array, score: Array, weight: Array | None = None) -> float:
    """Kolmogorov-Smirnov: the largest gap between true and false positive rate over all thresholds."""
    false_positive, true_positive = _roc(label, score, weight)
    return float(np.max(true_positive - false_positive))


def recall_at_fpr(label: Array, score: Array, fpr: float, weight: Array | None = None) -> float:
    """The largest recall of a threshold whose false positive rate is at most ``fpr``."""
    false_positive, true_positive = _roc(label, score, weight)
    return float(true_positive[false_positive <= fpr].max())


def lift_by_decile(label: Array, score: Array, weight: Array | None = None) -> Array:
    """The fraction of positive rows in each tenth of the rows, highest scores first, over that of all rows.

    Rows of one score are spread evenly over the tenths that they touch. Returns float64 [10].
    """
    _need_both(label)
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    weights = np.ones(len(score)) if weight is None else weight[order].astype(np.float64)
    rows, positives = (
        np.append(0.0, np.cumsum(values)[last]) for values in (weights, weights * label[order])
    )
    gains = np.interp(np.linspace(0, rows[-1], 11), rows, positives / positives[-1])
    return np.asarray(np.diff(gains) * 10)


def logloss(label: Array, score: Array, weight: Array | None = None) -> float:
    """Mean negative log likelihood of the labels, in nats."""
    loss = sklearn_metrics().log_loss
    return float(loss(label, score.astype(np.float64), sample_weight=weight, labels=[0, 1]))


def error(label: Array, score: Array, weight: Array | None = None) -> float:
    """Share of rows on the wrong side of 0.5."""
    return float(sklearn_metrics().zero_one_loss(label, score > 0.5, sample_weight=weight))


def rmse(label: Array, prediction: Array, weight: Array | None = None) -> float:
    """Root of the mean squared error, in the label's unit."""
    return float(sklearn_metrics().root_mean_squared_error(label, prediction, sample_weight=weight))


@dataclass(frozen=True)
class Metric:
    """A measure by name, and whether more of it is better (which early stopping has to know)."""

    measure: Callable[[Array, Array, Array | None], float]
    maximise: bool


METRICS: dict[str, Metric] = {
    "auc": Metric(roc_auc, maximise=True),
    "aucpr": Metric(pr_auc, maximise=True),
    "logloss": Metric(logloss, maximise=False),
    "error": Metric(error, maximise=False),
    "rmse": Metric(rmse, maximise=False),
    "ks": Metric(ks, maximise=True),
}

METRIC_OF_OBJECTIVE = {"binary:logistic": "logloss", "reg:squarederror": "rmse"}  # XGBoost's defaults


def _roc(label: Array, score: Array, weight: Array | None) -> tuple[Array, Array]:
    _need_both(label)
    false_positive, true_positive, _ = sklearn_metrics().roc_curve(
        label, score, sample_weight=weight, drop_intermediate=False
    )
    return false_positive, true_positive


def _need_both(label: Array) -> None:
    if len(np.unique(label)) != 2:
        raise DataError("The measure needs rows of both labels: check the label column and the rows chosen")
