"""Estimators with scikit-learn's interface, which predict as its models on pooled columns."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from vfl.errors import ParameterError
from vfl.estimators.federation import Federation
from vfl.estimators.linear import (
    FederatedLinearRegression,
    FederatedLogisticRegression,
    FederatedPoissonRegressor,
)

ROWS = 200
CASES = {
    "logistic": (FederatedLogisticRegression, LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)),
    "squared": (FederatedLinearRegression, Ridge(alpha=2.0)),
    "poisson": (FederatedPoissonRegressor, PoissonRegressor(alpha=2.0 / ROWS, tol=1e-10, max_iter=1000)),
}


@pytest.mark.parametrize("loss", CASES)
def test_predictions_are_scikit_learns(consortium, linear, private_key, loss):
    """Fit on the label party's columns alone, predict as a model of all columns would."""
    kind, judge = CASES[loss]
    people = linear.population(rows=ROWS, known=0.8)
    draws = {
        "logistic": (people.score > 0).astype(int),
        "squared": people.score,
        "poisson": people.rng.poisson(np.exp(people.score / 4)),
    }
    group = consortium(people.label, people.parties, directions=4)
    model = kind(Federation(group.channel, group.alignments, private_key), C=0.5, tol=1e-7)
    assert clone(model).get_params()["C"] == 0.5
    assert model.fit(people.label, draws[loss]) is model
    pooled = linear.pooled(group)
    judge.fit(pooled, draws[loss])
    np.testing.assert_allclose(model.coef_, np.ravel(judge.coef_)[: len(model.coef_)], atol=3e-5)
    if loss == "logistic":
        expected = judge.predict_proba(pooled)
        np.testing.assert_allclose(model.predict_proba(people.label), expected, atol=1e-5)
        assert model.score(people.label, draws[loss]) == judge.score(pooled, draws[loss])
    else:
        np.testing.assert_allclose(model.predict(people.label), judge.predict(pooled), rtol=1e-4, atol=1e-4)


def test_a_federation_is_needed():
    """Without other parties the estimator says what is missing."""
    with pytest.raises(ParameterError, match="federation is missing"):
        FederatedLogisticRegression().fit(None, None)
