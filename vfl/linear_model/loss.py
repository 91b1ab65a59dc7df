"""Losses of linear models, in float64: what a row costs, its residual and its curvature.

Source: generalised linear models with their canonical links (McCullagh and Nelder 1989), as scikit-learn's
``LogisticRegression``, ``Ridge`` and ``PoissonRegressor`` minimise them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vfl.arrays import Float64
from vfl.errors import DataError


class Loss(Protocol):
    """One loss. Arrays are float64 with one entry a row; z is the linear predictor."""

    def value(self, z: Float64, y: Float64) -> Float64:
        """What each row costs, up to a constant of y."""

    def mean(self, z: Float64) -> Float64:
        """The prediction; less the label it is the residual, the first derivative by z."""

    def curvature(self, z: Float64) -> Float64:
        """The second derivative by z, never negative."""

    def start(self, mean: float) -> float:
        """The z of a mean label: where an intercept starts."""

    def check_labels(self, y: Float64) -> None:
        """Raise DataError where the labels do not fit the loss."""


class Logistic:
    """``log(1 + exp(z)) - y z`` for labels 0 and 1."""

    def value(self, z: Float64, y: Float64) -> Float64:
        return np.logaddexp(0.0, z) - y * z

    def mean(self, z: Float64) -> Float64:
        return 0.5 + 0.5 * np.tanh(0.5 * z)

    def curvature(self, z: Float64) -> Float64:
        return 0.25 / np.cosh(0.5 * np.clip(z, -700.0, 700.0)) ** 2

    def start(self, mean: float) -> float:
        return float(np.log(mean / (1 - mean)))

    def check_labels(self, y: Float64) -> None:
        wrong = int(np.count_nonzero((y != 0) & (y != 1)))
        if wrong:
            raise DataError(f"logistic loss needs labels 0 and 1; {wrong} rows have another value")
        if (y == y[:1]).all():
            raise DataError("logistic loss needs rows of both labels: check the label column")


class Squared:
    """``(z - y)^2 / 2``."""

    def value(self, z: Float64, y: Float64) -> Float64:
        return 0.5 * (z - y) ** 2

    def mean(self, z: Float64) -> Float64:
        return z

    def curvature(self, z: Float64) -> Float64:
        return np.ones_like(z)

    def start(self, mean: float) -> float:
        return mean

    def check_labels(self, y: Float64) -> None:
        wrong = int(np.count_nonzero(~np.isfinite(y)))
        if wrong or not len(y):
            raise DataError(f"squared loss needs finite labels; {wrong} of {len(y)} rows have none")


class Poisson:
    """``exp(z) - y z`` for counts."""

    def value(self, z: Float64, y: Float64) -> Float64:
        return self.mean(z) - y * z

    def mean(self, z: Float64) -> Float64:
        with np.errstate(over="ignore"):  # a step too far costs infinity and is shortened
            return np.exp(z)

    def curvature(self, z: Float64) -> Float64:
        return self.mean(z)

    def start(self, mean: float) -> float:
        return float(np.log(mean))

    def check_labels(self, y: Float64) -> None:
        wrong = int(np.count_nonzero(~(np.isfinite(y) & (y >= 0))))
        if wrong:
            raise DataError(f"Poisson loss needs labels of 0 or more; {wrong} rows have another value")
        if not y.any():
            raise DataError("Poisson loss needs a label above 0: check the label column")


LOSSES: dict[str, Loss] = {"logistic": Logistic(), "squared": Squared(), "poisson": Poisson()}
