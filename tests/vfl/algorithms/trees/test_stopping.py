"""Early stopping: training ends after so many trees without improvement, and keeps those up to the best."""

import numpy as np
import pytest

from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.stopping import EarlyStopping, metric_name

NOTHING = np.zeros(0, np.float32)
LABELS = np.array([0, 1, 1, 0], dtype=np.float32)


def stopping(rounds=2, metric="logloss", labels=LABELS):
    return EarlyStopping(TreeParams(early_stopping_rounds=rounds, eval_metric=metric), labels, None)


def ends(watched, history):
    """Return after each tree whether training should end."""
    return [watched.record(latest) for latest in history]


def test_training_ends_after_so_many_trees_without_improvement():
    """The best tree is the last that the model keeps; an equal one is no improvement."""
    watched = stopping()
    assert ends(watched, [0.5, 0.4, 0.4, 0.41]) == [False, False, False, True]
    assert (watched.best, watched.trees_kept(4)) == (1, 2)


def test_an_improvement_starts_the_count_anew():
    """Only trees after the best one count."""
    watched = stopping()
    assert ends(watched, [0.5, 0.6, 0.4, 0.5, 0.3]) == [False] * 5
    assert (watched.best, watched.trees_kept(5)) == (4, 5)


def test_a_metric_that_grows_is_better_the_larger_it_is():
    """Which way is better is the metric's, not the caller's."""
    watched = stopping(metric="auc")
    assert ends(watched, [0.5, 0.7, 0.6, 0.65]) == [False, False, False, True]
    assert watched.best == 1


def test_without_rounds_training_goes_on_and_keeps_every_tree():
    """The metric is followed all the same."""
    watched = stopping(rounds=None)
    assert ends(watched, [0.1, 0.2, 0.3, 0.4]) == [False] * 4
    assert (watched.best, watched.trees_kept(4)) == (0, 4)
    assert watched.history == [0.1, 0.2, 0.3, 0.4]


def test_where_nothing_is_watched_nothing_ends():
    """No metric of no rows is taken, and every tree is kept."""
    watched = stopping(labels=NOTHING)
    assert not watched.take(NOTHING)
    assert (watched.history, watched.best, watched.trees_kept(7), watched.latest()) == ([], None, 7, "")


def test_predictions_are_measured_by_the_metric_that_was_chosen():
    """The better the predictions of the watched rows, the lower their loss."""
    watched = stopping()
    watched.take(np.full(4, 0.5, np.float32))
    watched.take(np.where(LABELS == 1, 0.9, 0.1).astype(np.float32))
    assert watched.history == pytest.approx([np.log(2), -np.log(0.9)], rel=1e-6)
    assert watched.latest() == f"logloss {-np.log(0.9):.5f}"


@pytest.mark.parametrize("count", range(6))
def test_a_training_that_goes_on_ends_where_it_would_have_ended(count):
    """Replaying what was recorded, in one go, leaves the same state as the trees themselves."""
    history = [0.5, 0.4, 0.45, 0.39, 0.42, 0.41]
    whole, again = stopping(), stopping()
    last = [False, *ends(whole, history[:count])][-1]
    assert again.replay(history[:count]) is last
    assert (again.history, again.best) == (whole.history, whole.best)
    assert ends(again, history[count:]) == ends(whole, history[count:])


def test_the_metric_is_the_objectives_own_unless_one_is_named():
    """As in XGBoost."""
    assert metric_name(TreeParams()) == "logloss"
    assert metric_name(TreeParams(objective="reg:squarederror")) == "rmse"
    assert metric_name(TreeParams(eval_metric="auc")) == "auc"
