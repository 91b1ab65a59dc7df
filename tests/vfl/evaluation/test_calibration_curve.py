"""Calibration is what scikit-learn says it is."""

import numpy as np
import pytest
from sklearn import calibration
from sklearn.metrics import brier_score_loss

from vfl.errors import DataError
from vfl.evaluation.calibration_curve import brier, calibration_curve


def scored(rows=3000, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 9, rows).astype(np.float32)
    return (rng.random(rows) < score).astype(np.float32), score


@pytest.mark.parametrize("tied", [False, True])
def test_bins_are_those_of_scikit_learn(tied):
    """Predicted and observed by quantile bins, with ties that leave bins empty too."""
    label, score = scored()
    score = np.round(score, 1) if tied else score
    found = calibration_curve(label, score)
    observed, predicted = calibration.calibration_curve(
        label, score.astype(float), n_bins=10, strategy="quantile"
    )
    np.testing.assert_allclose(found.observed, observed)
    np.testing.assert_allclose(found.predicted, predicted)
    assert found.weight.sum() == len(label)
    assert tied or found.weight.tolist() == [300] * 10


def test_the_expected_error_is_the_mean_gap():
    """Small where labels were drawn with the scores as chances, and as large as the scores are wrong."""
    label, score = scored(rows=20_000)
    assert calibration_curve(label, score).expected_error < 0.01
    assert calibration_curve(label, score + np.float32(0.2) * (score < 0.8)).expected_error == pytest.approx(
        0.2, abs=0.01
    )


def test_brier_is_scikit_learns_and_weights_count_as_repeated_rows():
    """A row of weight two counts as two, in the score and in the bins' sums."""
    label, score = scored()
    times = np.random.default_rng(1).integers(1, 3, len(label))
    assert brier(label, score, times) == pytest.approx(
        brier_score_loss(np.repeat(label, times), np.repeat(score, times).astype(float))
    )
    whole, weighted = (
        calibration_curve(label, score, bins=1),
        calibration_curve(label, score, np.full(len(label), 2.0), bins=1),
    )
    assert weighted.weight == 2 * whole.weight
    np.testing.assert_allclose(weighted[1:], whole[1:])


def test_scores_that_are_no_probabilities_are_refused():
    """A margin has no calibration."""
    with pytest.raises(DataError, match="probabilities"):
        calibration_curve(np.zeros(2), np.array([-1.0, 2.0]))
