"""The paired bootstrap measures as scikit-learn does on each resample, and its intervals are honest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from vfl.errors import DataError
from vfl.evaluation.bootstrap import Ranking, interval, resampled


def scored(rows=400, seed=0, gain=1.0):
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.2).astype(np.float32)
    return label, (gain * label + rng.standard_normal(rows)).astype(np.float32)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.integers(0, 3)),
        min_size=4,
        max_size=30,
    )
)
def test_areas_are_scikit_learns_with_sample_weights(rows):
    """For any weights, rows of weight 0 and ties among them."""
    label, score, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    if not (weight[label == 1].sum() and weight[label == 0].sum()):
        return
    roc, pr = Ranking(label, score).areas(weight[None])
    assert roc[0] == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    assert pr[0] == pytest.approx(average_precision_score(label, score, sample_weight=weight))


def test_resamples_keep_the_number_of_rows_of_each_label():
    """Every measure is one of a draw within each label: a score that tells them apart is always perfect."""
    label, _ = scored()
    perfect = resampled(label, {"perfect": label, "blind": np.zeros_like(label)}, resamples=50)
    np.testing.assert_allclose(perfect["perfect"], 1)
    np.testing.assert_allclose(perfect["blind"].roc, 0.5)
    np.testing.assert_allclose(perfect["blind"].pr, label.mean())


def test_the_spread_is_that_of_drawing_rows_one_by_one():
    """The obvious way, rows drawn with replacement and measured by scikit-learn, spreads as much."""
    label, score = scored()
    ours = resampled(label, {"a": score}, resamples=800)["a"]
    rng = np.random.default_rng(5)
    strata = [np.flatnonzero(label == value) for value in (0, 1)]
    draws = [np.concatenate([rng.choice(rows, len(rows)) for rows in strata]) for _ in range(800)]
    theirs = np.array([roc_auc_score(label[draw], score[draw]) for draw in draws])
    assert ours.roc.mean() == pytest.approx(theirs.mean(), abs=0.005)
    assert ours.roc.std() == pytest.approx(theirs.std(), rel=0.15)


def test_the_same_seed_draws_the_same_rows():
    """A report can be made again; and a pair measured together is measured on the same draw."""
    label, score = scored()
    one, two = (resampled(label, {"a": score, "b": score}, resamples=20) for _ in range(2))
    np.testing.assert_array_equal(one["a"], two["a"])
    np.testing.assert_array_equal(one["a"], one["b"])
    other = resampled(label, {"a": score}, resamples=20, seed=1)["a"]
    assert (one["a"].roc != other.roc).any()


def test_an_interval_holds_a_true_difference_and_excludes_none():
    """A score with twice the signal is surely better; one that differs by noise only is not."""
    label, weak = scored(rows=3000, gain=1.0)
    strong = weak + label
    noise = weak + np.random.default_rng(2).normal(0, 0.01, len(weak)).astype(np.float32)
    areas = resampled(label, {"weak": weak, "strong": strong, "noise": noise}, resamples=300)

    def gained(name, score):
        difference = roc_auc_score(label, score) - roc_auc_score(label, weak)
        return interval(difference, areas[name].roc, areas["weak"].roc)

    better, same = gained("strong", strong), gained("noise", noise)
    assert 0 < better.low < better.difference < better.high
    assert same.low < 0 < same.high
    assert better.high - better.low < 0.05


def test_intervals_cover_as_often_as_they_say():
    """Over many data sets of known truth, about 95 of 100 intervals hold it."""
    gained = 0.76025 - 0.5  # AUC of a shift by one standard deviation, Phi(1 / sqrt 2), less that of chance
    held = 0
    for seed in range(150):
        label, score = scored(rows=300, seed=seed)
        areas = resampled(label, {"a": score, "b": np.zeros_like(score)}, resamples=200, seed=seed)
        found = interval(0.0, areas["a"].roc, areas["b"].roc)
        held += found.low <= gained <= found.high
    assert 0.88 <= held / 150 <= 1.0


def test_rows_of_one_label_are_refused():
    """There is nothing to rank."""
    with pytest.raises(DataError, match="both labels"):
        resampled(np.ones(5), {"a": np.arange(5.0)})
