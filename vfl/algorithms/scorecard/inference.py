"""Standard errors of a logistic model whose columns lie at two parties, without showing a column.

The information matrix of a model without penalty is ``[[A, C'], [C, B]]``, with ``A = X' D X`` of the label
party's columns X (the intercept among them), B of the feature party's and C between them; D holds the
curvatures of the rows at the solution. The label party knows ``T`` with ``T T' = inv(A)``. The feature
party holds B and ``K = C T`` from the last Newton step. Then (block inverse)

* the feature party's covariance is ``inv(S)``, ``S = B - K K'``, which it computes alone;
* the label party's is ``T (I + M) T'`` with ``M = K' inv(S) K``, a matrix as wide as its own columns, all
  that has to cross.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64
from vfl.errors import DataError


@dataclass(frozen=True)
class Wald:
    """What the covariance says of coefficients; arrays [columns].

    Attributes:
        errors: standard errors.
        statistics: coefficients in units of them.
        p_values: two-sided, of the hypothesis that the coefficient is 0, in the normal approximation.
    """

    errors: Float64
    statistics: Float64
    p_values: Float64


def feature_covariance(B: Float64, K: Float64) -> Float64:
    """Covariance [f, f] of the feature party's coefficients.

    Args:
        B: float64 [f, f].
        K: float64 [f, label columns].

    Raises:
        DataError: a column is a combination of others of either party.
    """
    return _inverse(B - K @ K.T)


def told_to_label(B: Float64, K: Float64) -> Float64:
    """M [label columns, label columns], what the feature party tells; raises as `feature_covariance`."""
    return np.asarray(K.T @ feature_covariance(B, K) @ K)


def label_covariance(T: Float64, M: Float64) -> Float64:
    """Covariance of the label party's coefficients, [label columns, label columns]."""
    return np.asarray(T @ (np.eye(len(M)) + M) @ T.T)


def wald(coefficients: Float64, covariance: Float64) -> Wald:
    """Wald's test of each coefficient."""
    errors = np.sqrt(np.diag(covariance))
    statistics = coefficients / errors
    return Wald(errors, statistics, _two_sided(statistics))


def _two_sided(statistics: Float64) -> Float64:
    """Probability of a normal variable at least as far from 0."""
    return np.array([math.erfc(abs(of) / math.sqrt(2)) for of in statistics.tolist()])


def _inverse(matrix: Float64) -> Float64:
    values, vectors = np.linalg.eigh(matrix)
    if len(values) and values[0] <= len(values) * np.finfo(np.float64).eps * values[-1]:
        raise DataError("no standard errors: a column repeats others; select columns by inflation first")
    return np.asarray(vectors / values @ vectors.T)
