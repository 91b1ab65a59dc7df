"""Linear models over real bytes and a real key: scikit-learn on the pooled table is the judge."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, LinearRegression

from vfl.params import LinearParams

CLOSE = 1e-4


def labels_of(people, loss):
    if loss == "logistic":
        return (people.score + people.rng.logistic(size=len(people.score)) > 0.5).astype(float)
    if loss == "poisson":
        return people.rng.poisson(np.exp(0.3 * people.score)).astype(float)
    return people.score * 3 + people.rng.normal(size=len(people.score)) + 10


@pytest.mark.parametrize("widths", [(3, 4), (3, 4, 3), (2, 3, 3, 3)], ids=["one", "two", "three"])
def test_logistic_coefficients_equal_scikit_learns(consortium, linear, private_key, widths):
    people = linear.population(widths=widths)
    y = labels_of(people, "logistic")
    group = consortium(people.label, people.parties, directions=10)
    result, coefficients = linear.fit(group, y, LinearParams(C=0.5), private_key)
    judge = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(linear.pooled(group), y)
    print(result.history, result.directions, np.abs(coefficients - judge.coef_[0]).max())
    assert result.converged
    np.testing.assert_allclose(coefficients, judge.coef_[0], atol=CLOSE)
    np.testing.assert_allclose(result.share.intercept, judge.intercept_[0], atol=CLOSE)
