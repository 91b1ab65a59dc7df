"""The link from the bank's own margins to the joint scale; scikit-learn judges."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from vfl.errors import DataError
from vfl.scoring.platt_scaling import PlattScaling, fit


def sigmoid(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin))


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.4, -2.0), (3.0, 5.0)])
def test_a_link_that_exists_is_found(scale: float, offset: float) -> None:
    """Where the joint probabilities follow a line of the margins, the line is found."""
    margins = np.random.default_rng(0).normal(size=500).astype(np.float32)
    joint = sigmoid(scale * margins + offset).astype(np.float32)
    found = fit(margins, joint, "binary:logistic")
    assert (found.scale, found.offset) == pytest.approx((scale, offset), abs=1e-4)


def test_the_link_is_a_logistic_regression_on_weighted_labels() -> None:
    """Cross-entropy against probabilities is a logistic regression on both labels, weighted by them."""
    rng = np.random.default_rng(1)
    margins = rng.normal(size=400).astype(np.float32)
    joint = sigmoid(0.7 * margins - 1 + rng.normal(size=400)).astype(np.float32)
    judge = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.tile(margins, 2)[:, None], np.repeat([1, 0], 400), np.concatenate([joint, 1 - joint])
    )
    found = fit(margins, joint, "binary:logistic")
    assert found.scale == pytest.approx(judge.coef_[0, 0], abs=1e-4)
    assert found.offset == pytest.approx(judge.intercept_[0], abs=1e-4)


def test_margins_that_are_all_alike_give_the_mean() -> None:
    """A model alone that tells nothing is answered with the mean joint probability."""
    joint = np.array([0.1, 0.2, 0.6], dtype=np.float32)
    link = fit(np.zeros(3, np.float32), joint, "binary:logistic")
    np.testing.assert_allclose(sigmoid(link.margins(np.zeros(3, np.float32))), 0.3, atol=1e-6)


def test_squared_error_is_linked_by_least_squares() -> None:
    """For reg:squarederror the line is the one of numpy's polynomial fit."""
    rng = np.random.default_rng(2)
    margins, joint = rng.normal(size=(2, 50)).astype(np.float32)
    found = fit(margins, joint, "reg:squarederror")
    assert (found.scale, found.offset) == pytest.approx(np.polyfit(margins, joint, 1), abs=1e-5)


def test_no_rows_cannot_be_fitted() -> None:
    """Without rows there is nothing to fit to."""
    with pytest.raises(DataError, match="need rows"):
        fit(np.zeros(0, np.float32), np.zeros(0, np.float32), "binary:logistic")


def test_linked_margins_are_rounded_once() -> None:
    """The line is computed in float64 and rounded at the end."""
    margins = np.array([1 / 3, 2.0], dtype=np.float32)
    expected = (margins.astype(np.float64) * 0.1 + 0.7).astype(np.float32)
    np.testing.assert_array_equal(PlattScaling(0.1, 0.7).margins(margins), expected)
