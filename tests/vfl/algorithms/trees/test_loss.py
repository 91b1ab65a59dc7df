"""Gradients are derivatives of the losses that scikit-learn measures; base score and link are xgboost's."""

import msgspec
import numpy as np
import pytest
import xgboost
from sklearn.metrics import log_loss, mean_squared_error

from vfl.algorithms.trees.loss import LOSSES
from vfl.errors import DataError

LOGISTIC, SQUARED = LOSSES["binary:logistic"], LOSSES["reg:squarederror"]


def labels(objective, rows=500, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.random(rows) < 0.2 if objective == "binary:logistic" else np.round(rng.normal(size=rows) * 2)
    return y.astype(np.float32), rng.uniform(0.1, 3, rows).astype(np.float32)


@pytest.mark.parametrize("objective", LOSSES)
@pytest.mark.parametrize("scale_pos_weight", [1.0, 2.5])
def test_gradient_is_the_slope_of_the_measured_loss(objective, scale_pos_weight):
    """Central differences of scikit-learn's loss, row by row, give gradient and hessian."""
    y, weight = labels(objective, rows=20)
    margin = np.linspace(-3, 3, 20).astype(np.float32)
    g, h = LOSSES[objective].gradients(margin, y, weight, scale_pos_weight)
    factor = weight * np.where(y == 1, scale_pos_weight, 1)

    def loss(row, at):
        if objective == "binary:logistic":
            return log_loss([y[row]], [1 / (1 + np.exp(-at))], labels=[0, 1])
        return mean_squared_error([y[row]], [at]) / 2

    step = 1e-3
    for row, at in enumerate(margin.astype(np.float64)):
        low, here, high = (loss(row, at + d) for d in (-step, 0, step))
        assert g[row] == pytest.approx(factor[row] * (high - low) / (2 * step), rel=1e-4, abs=1e-5)
        assert h[row] == pytest.approx(factor[row] * (high - 2 * here + low) / step**2, rel=1e-3, abs=1e-5)
    assert g.dtype == h.dtype == np.float32


@pytest.mark.parametrize("objective", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale_pos_weight", [1.0, 3.0, 0.2])
def test_base_score_is_what_xgboost_estimates(objective, weighted, scale_pos_weight):
    """The estimate from the labels agrees with xgboost's to float32 rounding."""
    y, weight = labels(objective)
    weight = weight if weighted else None
    data = xgboost.DMatrix(np.zeros((len(y), 1)), y, weight=weight)
    booster = xgboost.train({"objective": objective, "scale_pos_weight": scale_pos_weight}, data, 1)
    config = msgspec.json.decode(booster.save_config())["learner"]["learner_model_param"]
    ours = LOSSES[objective].base_score(y, weight, scale_pos_weight)
    assert ours == pytest.approx(float(config["base_score"].strip("[]")), rel=3e-7)


@pytest.mark.parametrize("base_score", [0.5, 0.2213, 0.0001, 0.999])
def test_margin_and_link_are_those_of_xgboost(base_score):
    """The margin of a base score and the predictions of margins equal xgboost's bit for bit."""
    X = np.zeros((4001, 1))
    data = xgboost.DMatrix(X[:2], [0, 1])
    booster = xgboost.train({"objective": "binary:logistic", "base_score": base_score}, data, 0)
    margin = booster.predict(xgboost.DMatrix(X[:1]), output_margin=True)[0]
    assert LOGISTIC.margin(base_score) == margin
    margins = np.linspace(-60, 60, len(X)).astype(np.float32)
    theirs = booster.predict(xgboost.DMatrix(X, base_margin=margins))
    np.testing.assert_array_equal(LOGISTIC.transform(margins), theirs)


def test_extreme_margins_stay_finite():
    """Neither probability nor gradient overflows; the hessian keeps its floor."""
    margin = np.array([-1000, -90, 90, 1000], dtype=np.float32)
    g, h = LOGISTIC.gradients(margin, np.array([1, 0, 1, 0], np.float32), None, 1.0)
    assert np.isfinite(g).all()
    assert (h > 0).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_labels_of_one_kind_are_refused(value):
    """Their base score would have an infinite margin."""
    with pytest.raises(DataError, match="both labels"):
        LOGISTIC.base_score(np.full(5, value, np.float32), None, 1.0)


def test_labels_that_do_not_fit_are_refused_with_a_count():
    """The error counts the wrong rows and shows none of them."""
    with pytest.raises(DataError, match="2 rows"):
        LOGISTIC.check_labels(np.array([0, 1, 2, np.nan], np.float32))
    with pytest.raises(DataError, match="1 rows"):
        SQUARED.check_labels(np.array([0, 1, 2, np.nan], np.float32))
