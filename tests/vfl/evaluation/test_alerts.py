"""Measures of an alert budget are those of the highest scores of each day, whatever the order of rows."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.errors import DataError, ParameterError
from vfl.evaluation.alerts import alerted, money_curve, money_saved, precision_at_k
from vfl.evaluation.thresholds import at_least_cost, costs_of


def scored(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.2).astype(np.float32)
    return label, (label + rng.standard_normal(rows)).astype(np.float32), rng.integers(0, 9, rows)


@pytest.mark.parametrize("k", [1, 7, 50, 500])
def test_alerts_are_the_highest_scores_of_each_day(k):
    """pandas picks the same rows day by day."""
    label, score, days = scored()
    frame = pd.DataFrame({"label": label, "score": score, "day": days})
    top = frame.sort_values("score", ascending=False).groupby("day").head(k)
    chosen = np.zeros(len(frame))
    chosen[top.index] = 1
    np.testing.assert_array_equal(alerted(score, k, days), chosen)
    assert precision_at_k(label, score, k, days) == pytest.approx(top["label"].mean())


def test_without_days_all_rows_compete():
    """Precision at k of all rows, and their share of positives where k is all of them or more."""
    label, score, _ = scored()
    assert precision_at_k(label, score, 10) == pytest.approx(label[np.argsort(-score)[:10]].mean())
    assert precision_at_k(label, score, 10_000) == pytest.approx(label.mean())


@given(
    scores=st.lists(st.sampled_from([0.1, 0.4, 0.7]), min_size=1, max_size=5),
    k=st.integers(1, 6),
)
def test_ties_share_the_places_that_are_left(scores, k):
    """A row's share is how often it is chosen over all orders of rows that a sort could leave."""
    score = np.array(scores, np.float32)
    orders = [
        sorted(order, key=lambda row: -score[row]) for order in itertools.permutations(range(len(score)))
    ]
    chosen = [[row in order[:k] for row in range(len(score))] for order in orders]
    np.testing.assert_allclose(alerted(score, k), np.mean(chosen, axis=0))


def test_money_saved_is_what_is_caught_less_what_looking_costs():
    """Two frauds of 100 and 30 are caught by three alerts of 5 each."""
    label = np.array([1, 0, 1, 1], np.float32)
    alerts = np.array([1, 1, 1, 0], np.float32)
    assert money_saved(label, alerts, np.array([100, 999, 30, 70], np.float32), 5) == 115


def test_the_threshold_of_least_cost_is_the_one_that_saves_most():
    """Cost and saving are two sides of the same sum: all amounts of frauds."""
    label, score, _ = scored()
    amounts = np.random.default_rng(1).integers(1, 100, len(label)).astype(float)
    thresholds, costs, _ = costs_of(label, score, amounts, 12)
    saved = [money_saved(label, score >= threshold, amounts, 12) for threshold in thresholds]
    np.testing.assert_allclose(saved, amounts[label == 1].sum() - costs)
    np.testing.assert_allclose(money_curve(label, score, amounts, 12)[1], saved, atol=1e-9)
    assert thresholds[np.argmax(saved)] == at_least_cost(label, score, amounts, 12)


def test_no_budget_and_no_rows_are_refused():
    """There must be a place and somebody to take it."""
    with pytest.raises(ParameterError, match="whole number from 1"):
        alerted(np.ones(2), 0)
    with pytest.raises(DataError, match="no rows"):
        precision_at_k(np.zeros(0), np.zeros(0), 1)
