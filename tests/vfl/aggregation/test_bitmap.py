"""Bitmaps: what is packed comes back, and nothing is hidden in the padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.errors import MalformedMessage


@given(arrays(np.bool_, st.integers(0, 100)))
def test_round_trip(flags):
    """A row of flags comes back as it was."""
    np.testing.assert_array_equal(from_bitmap(to_bitmap(flags), len(flags)), flags)


@given(arrays(np.bool_, st.tuples(st.integers(0, 9), st.integers(0, 20))))
def test_round_trip_of_tables(flags):
    """So does a table of flags."""
    np.testing.assert_array_equal(from_bitmap(to_bitmap(flags), flags.shape[1], len(flags)), flags)


@pytest.mark.parametrize(("bitmap", "count"), [(b"", 1), (b"\x00\x00", 8), (b"\x02", 1), (b"\x00\x80", 15)])
def test_other_lengths_and_padding_are_refused(bitmap, count):
    """A bitmap of another length, or with a bit set past its end, is malformed."""
    with pytest.raises(MalformedMessage):
        from_bitmap(bitmap, count)
