"""Thresholds keep to their rule on the rows they are made from, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.errors import DataError, ParameterError
from vfl.evaluation.thresholds import Rule, at_alert_budget, at_false_positive_rate, at_least_cost, costs_of

FEW_SCORES = st.sampled_from([0.1, 0.2, 0.30000001, 0.5, 0.9])
ROWS = st.lists(
    st.tuples(st.integers(0, 1), FEW_SCORES, st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=40
)


def columns(rows):
    labels, scores, amounts, days = zip(*rows, strict=True)
    return np.array(labels), np.array(scores, np.float32), np.array(amounts, float), np.array(days)


def candidates(scores):
    return [*np.unique(scores), np.nextafter(scores.max(), np.float32(np.inf))]


@given(rows=ROWS, rate=st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.29, 1.0]))
def test_a_false_positive_rate_is_the_lowest_threshold_that_keeps_it(rows, rate):
    """Of all thresholds, the slow way: the lowest at which no more negative rows than that are alerts."""
    labels, scores, _, _ = columns(rows)
    if labels.all():
        with pytest.raises(DataError, match="label 0"):
            at_false_positive_rate(labels, scores, rate)
        return
    kept = [t for t in candidates(scores) if (scores[labels == 0] >= t).mean() <= rate]
    assert at_false_positive_rate(labels, scores, rate) == min(kept)


@given(rows=ROWS, per_day=st.sampled_from([0.5, 1.0, 2.5, 100.0]))
def test_an_alert_budget_is_the_lowest_threshold_within_it(rows, per_day):
    """Of all thresholds, the slow way: the lowest with at most so many alerts for each day seen."""
    _, scores, _, days = columns(rows)
    kept = [t for t in candidates(scores) if (scores >= t).sum() <= per_day * len(set(days.tolist()))]
    assert at_alert_budget(scores, days, per_day) == min(kept)


@given(rows=ROWS, cost=st.sampled_from([0.5, 1.0, 7.0, 1000.0]), with_amounts=st.booleans())
def test_least_cost_is_the_highest_of_the_cheapest_thresholds(rows, cost, with_amounts):
    """Of all thresholds, the slow way: none costs less, and of the equal ones it makes the fewest alerts."""
    labels, scores, amounts, _ = columns(rows)
    lost = amounts if with_amounts else np.ones(len(labels))

    def total(threshold):
        alert = scores >= threshold
        return cost * alert.sum() + lost[~alert & (labels == 1)].sum()

    cheapest = min(total(t) for t in candidates(scores))
    expected = max(t for t in candidates(scores) if total(t) == cheapest)
    assert at_least_cost(labels, scores, amounts if with_amounts else None, cost) == expected
    thresholds, costs, alerts = costs_of(labels, scores, lost, cost)
    assert costs.tolist() == [total(t) for t in thresholds]
    assert alerts.tolist() == [(scores >= t).sum() for t in thresholds]


@given(rows=ROWS, rule=st.sampled_from(["fpr=0.1", "alerts_per_day=3", "cost=4", "score=0.3"]))
def test_a_threshold_is_a_float32_number(rows, rule):
    """It decides alike as float32 and as float64."""
    labels, scores, amounts, days = columns(rows)
    labels[0] = 0
    threshold = Rule.parse(rule).threshold(labels, scores, amounts, days)
    assert threshold == float(np.float32(threshold))
    np.testing.assert_array_equal(scores >= threshold, scores.astype(np.float64) >= threshold)


def test_a_share_that_equals_the_rate_is_allowed():
    """29 false alarms in 100 are a rate of 0.29, though 0.29 times 100 is less than 29 in binary."""
    scores = np.linspace(0.99, 0.0, 100).astype(np.float32)
    threshold = at_false_positive_rate(np.zeros(100), scores, 0.29)
    assert (scores >= threshold).sum() == 29


def test_weights_count_as_repeated_rows():
    """A negative row of weight three counts as three."""
    rng = np.random.default_rng(0)
    labels, scores, times = rng.random(80) < 0.4, rng.random(80).astype(np.float32), rng.integers(1, 4, 80)
    repeated = at_false_positive_rate(np.repeat(labels, times), np.repeat(scores, times), 0.2)
    assert at_false_positive_rate(labels, scores, 0.2, times) == repeated


def test_days_may_be_of_any_kind():
    """Dates and texts count as numbers do."""
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    dates = np.array(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"], "datetime64[D]")
    for days in (dates, dates.astype(str), np.array([1, 1, 2, 2])):
        assert at_alert_budget(scores, days, 1) == np.float32(0.8)


@pytest.mark.parametrize("text", ["fpr=0.01", "alerts_per_day=50", "cost=5", "score=0.3", "score=-1.5"])
def test_a_rule_is_its_text(text):
    """What is printed is read as the same rule."""
    rule = Rule.parse(text)
    assert Rule.parse(str(rule)) == rule
    assert str(Rule.parse("cost=5")) == "cost=5"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.3", "write fpr=RATE"),
        ("recall=0.5", "write fpr=RATE"),
        ("fpr=1%", "a false positive rate, 0 to 1"),
        ("fpr=2", "a false positive rate, 0 to 1"),
        ("fpr=nan", "a false positive rate, 0 to 1"),
        ("alerts_per_day=0", "above 0"),
        ("cost=", "the cost of one alert"),
        ("cost=inf", "the cost of one alert"),
        ("score=1e300", "within float32"),
    ],
)
def test_a_mistaken_rule_is_told_what_to_write(text, told):
    """The message quotes the text and says what belongs there."""
    with pytest.raises(ParameterError, match=told):
        Rule.parse(text)


def test_alerts_a_day_need_days():
    """Without the day of each row there is no budget to keep, and the message says where days come from."""
    with pytest.raises(ParameterError, match=r"data\.day"):
        Rule.parse("alerts_per_day=5").threshold(np.zeros(2), np.zeros(2, np.float32))


def test_amounts_that_are_no_amounts_are_refused():
    """A positive row without an amount cannot be weighed against alerts; a negative row's does not matter."""
    labels, scores = np.array([1, 0]), np.array([0.4, 0.6], np.float32)
    with pytest.raises(DataError, match="amount"):
        at_least_cost(labels, scores, np.array([np.nan, 1.0]), 1.0)
    assert at_least_cost(labels, scores, np.array([9.0, np.nan]), 1.0) == np.float32(0.4)


def test_no_rows_and_uneven_rows_are_refused():
    """There is nothing to choose from, or something is missing."""
    with pytest.raises(DataError, match="there are none"):
        at_alert_budget(np.zeros(0, np.float32), np.zeros(0), 1)
    with pytest.raises(DataError, match="different lengths"):
        at_least_cost(np.zeros(2), np.zeros(3, np.float32), None, 1)
