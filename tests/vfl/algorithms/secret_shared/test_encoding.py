"""Numbers of a job on shares as bytes: what was put in comes out, and other bytes are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.secret_shared.encoding import SHARE_BYTES, matrix, share_bytes, shares_of
from vfl.errors import MalformedMessage

LARGEST = 2 ** (8 * SHARE_BYTES - 1) - 1


@settings(deadline=None)
@given(shares=st.lists(st.integers(-LARGEST - 1, LARGEST), max_size=5))
def test_shares_come_back_exactly(shares):
    """Each has its sign and all its bits, whatever its size."""
    data = share_bytes(shares)
    assert len(data) == SHARE_BYTES * len(shares)
    assert shares_of(data, len(shares)) == shares


@pytest.mark.parametrize("share", [LARGEST + 1, -LARGEST - 2])
def test_a_share_that_does_not_fit_is_not_cut(share):
    """A sum that lost its upper bits would be another number."""
    with pytest.raises(OverflowError):
        share_bytes([share])


@pytest.mark.parametrize("change", [1, -1, SHARE_BYTES, -SHARE_BYTES])
def test_another_number_of_shares_is_refused(change):
    """As many shares come as there are coefficients."""
    with pytest.raises(MalformedMessage, match="3 shares of 40 bytes"):
        shares_of(bytes(3 * SHARE_BYTES + change), 3)


def test_a_matrix_comes_row_by_row():
    """The numbers are those that were sent, and can be written to."""
    numbers = np.array([[1.5, -2.0, 0.0], [9.9e8, 1e-300, 3.0]])
    received = matrix(numbers.astype("<f8").tobytes(), (2, 3))
    assert np.array_equal(received, numbers)
    received[0, 0] = 7.0


@pytest.mark.parametrize("size", [0, 5, 7])
def test_a_matrix_of_another_size_is_refused(size):
    """The receiver knows how large it is."""
    with pytest.raises(MalformedMessage, match="a matrix of 2 x 3 numbers was due"):
        matrix(bytes(8 * size), (2, 3))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e9, -2e9])
def test_a_matrix_of_numbers_that_are_no_factors_is_refused(number):
    """One such number would spoil every sum, so that it is told before it is used."""
    with pytest.raises(MalformedMessage, match="not finite, or too large"):
        matrix(np.array([1.0, number]).astype("<f8").tobytes(), (1, 2))
