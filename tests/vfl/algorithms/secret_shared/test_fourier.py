"""A Fourier series in place of the logistic function, on numbers and on shares of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from vfl.algorithms.secret_shared.fourier import (
    LARGEST_TERM,
    NO_PHASES,
    PARTNER,
    PERIOD,
    RADIUS,
    SHARE_BITS,
    Series,
    harmonics,
    whole_terms,
)


@pytest.mark.parametrize("centre", [-6.0, -1.4, 0.0, 3.0])
def test_a_series_is_the_logistic_function_around_its_centre(centre):
    """To 0.01 within its radius, to 0.001 within six; judge: scipy."""
    z = np.linspace(-RADIUS, RADIUS, 2001) + centre
    error = np.abs(Series.fit(centre).value(z) - expit(z))
    assert error.max() < 0.01
    assert error[np.abs(z - centre) <= 6].max() < 1e-3


@pytest.mark.parametrize("centre", [-6.0, -1.4, 0.0, 3.0])
def test_no_series_is_steeper_than_the_bound_of_the_hessian(centre):
    """Wherever a predictor lands, also beyond the radius: otherwise steps could overshoot without end."""
    z = np.linspace(-PERIOD, PERIOD, 20001)
    slope = np.diff(Series.fit(centre).value(z)) / np.diff(z)
    assert slope.max() < 0.253


@settings(deadline=None)
@given(st.floats(-11.9, 11.9), st.integers(0, 2**64 - 1), st.floats(-5, 5))
def test_shares_of_a_predictor_give_the_series_at_it(z, share, centre):
    """Whatever the share, the products of both parties' harmonics add up to the series at z."""
    series = Series.fit(centre)
    other = (round(z / PERIOD * 2**SHARE_BITS) - share) % 2**64
    own = harmonics(np.array([share], dtype=np.uint64), NO_PHASES)
    theirs = harmonics(np.array([other], dtype=np.uint64), series.phases)
    value = series.constant + (own[:, PARTNER] * theirs) @ np.repeat(series.amplitudes, 2)
    np.testing.assert_allclose(value, series.value(np.array([z])), atol=1e-6)


def test_whole_terms_are_as_near_as_whole_numbers_get():
    """Half a unit, and never beyond the largest."""
    values = np.cos(np.linspace(0, 7, 1001))
    whole = whole_terms(values)
    assert np.abs(whole / LARGEST_TERM - values).max() <= 0.5 / LARGEST_TERM + 1e-15
    assert np.abs(whole).max() <= LARGEST_TERM
