"""Points add up to optbinning's score, and reasons are where they were lost."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.algorithms.scorecard.points import Scale, reasons
from vfl.errors import ParameterError


def test_points_add_up_to_optbinnings_score():
    """Base points and the points of all columns are the score of optbinning's scorecard, row by row."""
    scorecard = pytest.importorskip(
        "optbinning.scorecard", reason="optbinning, the outside judge, is not installed"
    )
    binning = pytest.importorskip("optbinning").BinningProcess
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(800, 3)), columns=list("abc"))
    y = (X.sum(axis=1) + rng.logistic(size=800) > 1).astype(int)
    judge = scorecard.Scorecard(
        binning(list("abc"), max_n_prebins=6), LogisticRegression(), scaling_method="pdo_odds",
        scaling_method_params={"pdo": 20, "odds": 50, "scorecard_points": 600},
    ).fit(X, y)  # fmt: skip
    woe = judge.binning_process_.transform(X[judge.binning_process_.get_support(names=True)]).to_numpy()
    model, scale = judge.estimator_, Scale(pdo=20, base_score=600, base_odds=50)
    score = scale.base_points(model.intercept_[0]) + scale.points(woe, model.coef_[0]).sum(axis=1)
    assert score == pytest.approx(judge.score(X), abs=1e-8)
    assert scale.event_probability(score) == pytest.approx(model.predict_proba(woe)[:, 1], abs=1e-12)


def test_pdo_points_double_the_odds():
    """At the base score the odds are the base odds, and pdo points more double them."""
    scale = Scale(pdo=40, base_score=500, base_odds=15)
    p = scale.event_probability(np.array([500.0, 540.0, 460.0]))
    assert (1 - p) / p == pytest.approx([15, 30, 7.5])


@pytest.mark.parametrize(
    "wrong", [{"pdo": 0}, {"base_odds": 0}, {"base_odds": -1}, {"base_score": float("nan")}, {"pdo": np.inf}]
)
def test_scales_that_cannot_be_are_refused(wrong):
    """A scale needs finite numbers, pdo other than 0 and odds above 0."""
    with pytest.raises(ParameterError):
        Scale(**wrong)


def test_reasons_are_the_columns_that_cost_most():
    """The dearest columns come first, ties by number, and a row at its best everywhere has no reason."""
    lost = np.array([[0.0, 8.0, 0.0], [0.0, 0.0, 0.0], [10.0, 0.0, 10.0]])
    assert reasons(lost, 2).tolist() == [[1, -1], [-1, -1], [0, 2]]
    assert reasons(lost, 9).shape == (3, 3)
