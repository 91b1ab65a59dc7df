"""Standard errors from blocks that two parties hold are those of the pooled information matrix."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from vfl.algorithms.scorecard.inference import feature_covariance, label_covariance, told_to_label, wald
from vfl.errors import DataError


@pytest.fixture
def blocks():
    """Two parties' columns, the pooled covariance, and what each of them holds of the information matrix."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(400), rng.normal(size=(400, 3))])
    F = rng.normal(size=(400, 5)) + X[:, [1]]
    d = rng.uniform(0.05, 0.25, 400)[:, None]
    Z = np.hstack([X, F])
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    T = np.linalg.inv(np.linalg.cholesky(X.T @ (d * X))).T @ rotation
    pooled = np.linalg.inv(Z.T @ (d * Z))
    return SimpleNamespace(F=F, d=d, X=X, T=T, B=F.T @ (d * F), K=F.T @ (d * (X @ T)), pooled=pooled)


def test_both_parties_find_their_block_of_the_pooled_covariance(blocks):
    """The feature party alone, the label party from one small matrix."""
    assert feature_covariance(blocks.B, blocks.K) == pytest.approx(blocks.pooled[4:, 4:], rel=1e-8)
    M = told_to_label(blocks.B, blocks.K)
    assert M.shape == (4, 4)
    assert label_covariance(blocks.T, M) == pytest.approx(blocks.pooled[:4, :4], rel=1e-8)


def test_what_is_told_is_the_same_for_any_columns_of_one_span(blocks):
    """The matrix depends on what the feature party's columns span, not on the columns."""
    mix = np.random.default_rng(1).normal(size=(5, 5))
    mixed = told_to_label(mix.T @ blocks.B @ mix, mix.T @ blocks.K)
    assert mixed == pytest.approx(told_to_label(blocks.B, blocks.K), rel=1e-6)


def test_walds_test_is_scipys():
    """Errors are roots of variances, p-values two-sided tails of the normal distribution."""
    covariance = np.array([[0.04, 0.01], [0.01, 0.25]])
    found = wald(np.array([0.5, -0.1]), covariance)
    assert found.errors == pytest.approx([0.2, 0.5])
    assert found.statistics == pytest.approx([2.5, -0.2])
    assert found.p_values == pytest.approx(2 * norm.sf([2.5, 0.2]))


def test_repeated_columns_have_no_standard_errors(blocks):
    """A column that others make up, of either party, is an error and no infinite or negative variance."""
    for F in (blocks.F[:, [0, 1, 0]], np.column_stack([blocks.F[:, :2], blocks.X[:, 1]])):
        K = F.T @ (blocks.d * (blocks.X @ blocks.T))
        with pytest.raises(DataError, match="repeats others"):
            feature_covariance(F.T @ (blocks.d * F), K)
