"""Measures agree with xgboost's of the same name and with their definitions."""

import msgspec
import numpy as np
import pytest
import xgboost
from scipy.stats import ks_2samp

from vfl.algorithms.trees.params import EVAL_METRICS, OBJECTIVES
from vfl.errors import DataError
from vfl.evaluation import metrics
from vfl.evaluation.metrics import METRIC_OF_OBJECTIVE, METRICS


def scored(rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.1).astype(np.float32)
    margin = (label + rng.standard_normal(rows) - 1).astype(np.float32)
    return label, margin, rng.uniform(0.2, 3, rows).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("auc", 1e-6), ("aucpr", 2e-3), ("logloss", 1e-6), ("error", 1e-6), ("rmse", 1e-6)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_measures_are_those_of_xgboost(name, tolerance, weighted):
    """Each measure equals what xgboost reports for the same predictions; average precision nearly so."""
    label, margin, weight = scored()
    weight = weight if weighted else None
    data = xgboost.DMatrix(np.zeros((len(label), 1)), label, weight=weight, base_margin=margin)
    booster = xgboost.train({"objective": "binary:logistic", "eval_metric": name, "base_score": 0.5}, data, 0)
    reported = float(booster.eval(data).split(":")[-1])
    prediction = booster.predict(data)
    assert METRICS[name].measure(label, prediction, weight) == pytest.approx(reported, abs=tolerance)


def test_ks_is_scipys_two_sample_statistic():
    """The largest gap between the rates is the Kolmogorov-Smirnov statistic of the two groups' scores."""
    label, margin, _ = scored()
    statistic = ks_2samp(margin[label == 1], margin[label == 0]).statistic
    assert metrics.ks(label, margin) == pytest.approx(statistic, abs=1e-12)


@pytest.mark.parametrize("fpr", [0.0, 0.01, 0.1, 1.0])
def test_recall_at_a_false_positive_rate_is_the_best_thresholds(fpr):
    """No threshold with at most that false positive rate recalls more, and one recalls as much."""
    label, margin, _ = scored(rows=500)
    thresholds = np.append(np.unique(margin), np.inf)
    recalls = [
        (margin[label == 1] >= threshold).mean()
        for threshold in thresholds
        if (margin[label == 0] >= threshold).mean() <= fpr
    ]
    assert metrics.recall_at_fpr(label, margin, fpr) == pytest.approx(max(recalls))


def test_weights_count_as_repeated_rows():
    """A row of weight three counts as three rows."""
    label, margin, _ = scored(rows=300)
    times = np.random.default_rng(1).integers(1, 4, 300)
    repeated = np.repeat(label, times), np.repeat(margin, times)
    assert metrics.ks(label, margin, times) == pytest.approx(metrics.ks(*repeated))
    assert metrics.recall_at_fpr(label, margin, 0.2, times) == pytest.approx(
        metrics.recall_at_fpr(*repeated, 0.2)
    )


def test_better_predictions_measure_better_in_the_stated_direction():
    """`maximise` tells which way each measure improves."""
    label, margin, _ = scored()
    good, bad = (1 / (1 + np.exp(-(margin + lift * label))) for lift in (2.0, 0.0))
    for name, metric in METRICS.items():
        better, worse = (metric.measure(label, prediction, None) for prediction in (good, bad))
        assert (better > worse) == metric.maximise, name


def test_every_offered_name_has_a_measure():
    """What the parameters accept can be measured, and each objective has a measure of its own."""
    assert set(METRICS) == set(EVAL_METRICS)
    assert set(METRIC_OF_OBJECTIVE) == set(OBJECTIVES)
    for objective, name in METRIC_OF_OBJECTIVE.items():
        booster = xgboost.train({"objective": objective}, xgboost.DMatrix(np.zeros((2, 1)), [0, 1]), 1)
        config = msgspec.json.decode(booster.save_config())["learner"]["metrics"]
        assert [metric["name"] for metric in config] == [name]


@pytest.mark.parametrize("measure", [metrics.roc_auc, metrics.pr_auc, metrics.ks])
def test_ranking_rows_of_one_label_is_refused(measure):
    """A ranking needs rows of both labels."""
    with pytest.raises(DataError, match="both labels"):
        measure(np.zeros(5), np.arange(5.0))


def test_lift_is_the_density_of_positives_by_tenth():
    """Sorted by score and cut in ten, each tenth's share of positives over that of all rows."""
    label, margin, _ = scored(rows=5000)
    tenths = label[np.argsort(-margin)].reshape(10, -1)
    np.testing.assert_allclose(metrics.lift_by_decile(label, margin), tenths.mean(axis=1) / label.mean())


def test_lift_spreads_ties_and_counts_weights_as_repeated_rows():
    """A score that says nothing lifts nothing, and a row of weight three counts as three rows."""
    label, margin, _ = scored(rows=301)
    np.testing.assert_allclose(metrics.lift_by_decile(label, np.zeros(301)), 1)
    times = np.random.default_rng(1).integers(1, 4, 301)
    np.testing.assert_allclose(
        metrics.lift_by_decile(label, margin, times),
        metrics.lift_by_decile(np.repeat(label, times), np.repeat(margin, times)),
    )
