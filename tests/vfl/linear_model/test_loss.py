"""Losses: their derivatives, and labels that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.errors import DataError
from vfl.linear_model.loss import LOSSES

PREDICTORS = st.floats(-20, 20)
LABELS = {"logistic": st.sampled_from([0.0, 1.0]), "squared": st.floats(-9, 9), "poisson": st.integers(0, 9)}


@pytest.mark.parametrize("name", LOSSES)
@given(data=st.data())
def test_residual_and_curvature_are_the_derivatives(name, data):
    """Finite differences of the value give the residual, those of the mean the curvature."""
    loss, z = LOSSES[name], data.draw(PREDICTORS)
    y, step = np.array([float(data.draw(LABELS[name]))]), 1e-5
    low, here, high = (np.array([z + shift]) for shift in (-step, 0.0, step))
    slope = (loss.value(high, y) - loss.value(low, y)) / (2 * step)
    np.testing.assert_allclose(slope, loss.mean(here) - y, rtol=1e-4, atol=1e-4)
    bend = (loss.mean(high) - loss.mean(low)) / (2 * step)
    np.testing.assert_allclose(bend, loss.curvature(here), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_the_start_predicts_the_mean_label(name):
    """An intercept starts where the prediction is the mean label."""
    loss = LOSSES[name]
    np.testing.assert_allclose(loss.mean(np.array([loss.start(0.3)])), 0.3)


@pytest.mark.parametrize("name", LOSSES)
def test_predictors_beyond_all_bounds_give_no_wrong_number(name):
    """A step too far costs infinity or much, and never not-a-number."""
    loss, z, y = LOSSES[name], np.array([-1e4, 1e4]), np.array([1.0, 0.0])
    assert not np.isnan(loss.value(z, y)).any()
    assert not np.isnan(loss.curvature(z)).any()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("logistic", [0.0, 0.5]),
        ("logistic", [1.0, 1.0]),
        ("squared", [1.0, np.nan]),
        ("squared", []),
        ("poisson", [1.0, -1.0]),
        ("poisson", [0.0, 0.0]),
    ],
)
def test_labels_that_do_not_fit_are_refused(name, labels):
    """Each loss says which labels it takes."""
    with pytest.raises(DataError):
        LOSSES[name].check_labels(np.array(labels))
