"""Gradients, hessians and the link of the two objectives, in the arithmetic of XGBoost 3.x.

XGBoost keeps margins, labels, weights, gradients and hessians as float32. Its sigmoid rests on the C
library's ``expf``, from which numpy's exponential differs by one unit in the last place for some values in
10,000. So XGBoost computes it here too: as the prediction of a model without trees.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import xgboost

from vfl.arrays import Float32
from vfl.errors import DataError

SMALLEST_HESSIAN = np.float32(1e-16)  # XGBoost's floor on p * (1 - p), before weights


class Loss(Protocol):
    """One objective. Every array is float32 with one entry a row."""

    def gradients(
        self, margin: Float32, label: Float32, weight: Float32 | None, scale_pos_weight: float
    ) -> tuple[Float32, Float32]:
        """First and second derivative of the loss with respect to the margin, times the weight."""

    def base_score(self, label: Float32, weight: Float32 | None, scale_pos_weight: float) -> float:
        """The prediction (not the margin) that training starts from where none is given."""

    def margin(self, base_score: float) -> np.float32:
        """The margin of a base score."""

    def transform(self, margin: Float32) -> Float32:
        """The prediction of a margin."""

    def bounds(self, label: Float32, base_score: float) -> tuple[float, float]:
        """Bounds on ``|gradient|`` and hessian of a row of weight 1, over the whole training."""

    def check_labels(self, label: Float32) -> None:
        """Raise DataError where the labels do not fit the objective."""


class Logistic:
    """``binary:logistic``: gradient p - y, hessian p (1 - p), each times the weight."""

    def gradients(
        self, margin: Float32, label: Float32, weight: Float32 | None, scale_pos_weight: float
    ) -> tuple[Float32, Float32]:
        p = self.transform(margin)
        w = _weights(label, weight, scale_pos_weight)
        hessian = np.maximum(p * (np.float32(1) - p), SMALLEST_HESSIAN)
        return (p - label) * w, hessian * w

    def base_score(self, label: Float32, weight: Float32 | None, scale_pos_weight: float) -> float:
        """The weighted mean label; with a ``scale_pos_weight`` one Newton step from a margin of 0.

        Raises:
            DataError: all labels are equal, so the mean has no finite margin.
        """
        if label.size == 0 or np.all(label == label[0]):
            raise DataError("binary:logistic needs rows of both labels: check the label column")
        w = _weights(label, weight, scale_pos_weight)
        if scale_pos_weight == 1:
            return _mean(label, w)
        g, h = self.gradients(np.zeros_like(label), label, weight, scale_pos_weight)
        step = np.float32(-np.sum(g, dtype=np.float64) / np.sum(h, dtype=np.float64))
        return float(self.transform(np.full(1, step))[0])

    def margin(self, base_score: float) -> np.float32:
        odds = np.float32(1) / np.float32(base_score) - np.float32(1)
        return np.float32(-np.log(np.float64(odds)))

    def transform(self, margin: Float32) -> Float32:
        no_columns = np.zeros((len(margin), 1), dtype=np.float32)
        p: Float32 = _sigmoid().inplace_predict(no_columns, base_margin=margin, validate_features=False)
        return p

    def bounds(self, label: Float32, base_score: float) -> tuple[float, float]:
        return 1.0, 0.25

    def check_labels(self, label: Float32) -> None:
        wrong = int(np.count_nonzero((label != 0) & (label != 1)))
        if wrong:
            raise DataError(f"binary:logistic needs labels 0 and 1; {wrong} rows have another value")


class SquaredError:
    """``reg:squarederror``: gradient prediction - y, hessian 1, each times the weight.

    ``scale_pos_weight`` also applies here, to rows whose label is exactly 1, as it does in XGBoost.
    """

    def gradients(
        self, margin: Float32, label: Float32, weight: Float32 | None, scale_pos_weight: float
    ) -> tuple[Float32, Float32]:
        w = _weights(label, weight, scale_pos_weight)
        return (margin - label) * w, w

    def base_score(self, label: Float32, weight: Float32 | None, scale_pos_weight: float) -> float:
        """The mean label under the same weights as the gradients."""
        return _mean(label, _weights(label, weight, scale_pos_weight))

    def margin(self, base_score: float) -> np.float32:
        return np.float32(base_score)

    def transform(self, margin: Float32) -> Float32:
        return margin

    def bounds(self, label: Float32, base_score: float) -> tuple[float, float]:
        # Boosting shrinks residuals; no bound holds in theory, and a row beyond this one is refused.
        return 4 * float(np.abs(label - np.float32(base_score)).max(initial=0)) or 1.0, 1.0

    def check_labels(self, label: Float32) -> None:
        wrong = int(np.count_nonzero(~np.isfinite(label)))
        if wrong:
            raise DataError(f"reg:squarederror needs finite labels; {wrong} rows have none")


LOSSES: dict[str, Loss] = {"binary:logistic": Logistic(), "reg:squarederror": SquaredError()}


@functools.cache
def _sigmoid() -> xgboost.Booster:
    """A model without trees, whose prediction is the sigmoid of the margin that it is given."""
    import xgboost  # noqa: PLC0415  it takes seconds, and most commands need none

    rows = xgboost.DMatrix(np.zeros((2, 1), np.float32), label=[0.0, 1.0])
    return xgboost.train({"objective": "binary:logistic", "base_score": 0.5, "nthread": 1}, rows, 0)


def _weights(label: Float32, weight: Float32 | None, scale_pos_weight: float) -> Float32:
    w = np.ones_like(label) if weight is None else weight
    return np.where(label == 1, w * np.float32(scale_pos_weight), w)


def _mean(label: Float32, weight: Float32) -> float:
    total = np.sum(weight, dtype=np.float64)
    return float(np.float32(np.sum(label * weight.astype(np.float64)) / total))
