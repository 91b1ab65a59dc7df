"""Numbers packed in slots: no weighted sum within the bounds leaves its slot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.linear.slots import MOST_ROWS, VALUE_BITS, WEIGHT_BITS, Slots, whole
from vfl.crypto.kernel import to_ints
from vfl.errors import OutOfRange, ParameterError

LARGEST_VALUE, LARGEST_WEIGHT = 2**VALUE_BITS, 2 ** (WEIGHT_BITS - 1) - 1
VALUES = st.one_of(st.sampled_from([-LARGEST_VALUE, LARGEST_VALUE, 0, -1]), st.integers(-99, 99))
WEIGHTS = st.one_of(st.sampled_from([-LARGEST_WEIGHT, LARGEST_WEIGHT, 0, -1]), st.integers(-99, 99))


@settings(max_examples=40)
@given(data=st.data(), rows=st.integers(1, 8), slots=st.integers(1, 27))
def test_weighted_sums_come_out_exact(data, rows, slots):
    """At the bounds, with all signs: unpacking the sum of packed rows gives the sum in each slot."""
    packing = Slots(rows)
    values = np.array([[data.draw(VALUES) for _ in range(slots)] for _ in range(rows)], dtype=np.int64)
    weights = [data.draw(WEIGHTS) for _ in range(rows)]
    plain = to_ints(packing.pack(values), signed=True)
    total = sum(weight * row for weight, row in zip(weights, plain, strict=True))
    expected = [sum(w * int(v) for w, v in zip(weights, values[:, k], strict=True)) for k in range(slots)]
    assert packing.unpack(total, slots) == expected


@given(
    rows=st.one_of(st.integers(1, 100), st.integers(1, 10**6), st.just(MOST_ROWS)),
    bits=st.sampled_from([2048, 3072]),
)
def test_the_largest_sums_stay_below_half_of_n(rows, bits):
    """With every slot at its bound, of either sign, the plaintext is read back from a residue modulo n."""
    packing = Slots(rows)
    slots = packing.per_plaintext(bits)
    largest = sum(packing.largest_sum << (packing.layout.width * slot) for slot in range(slots))
    assert largest < 2 ** (bits - 1) // 2
    assert packing.unpack(-largest, slots) == [-packing.largest_sum] * slots
    one = np.full((1, slots), rows << VALUE_BITS, dtype=np.int64)
    assert packing.pack(one).shape[1] < bits // 64  # what encryption takes


def test_what_is_beyond_the_bounds_is_refused():
    """A value too large is ours to fix, a sum too large is the peer's."""
    packing = Slots(4)
    with pytest.raises(ParameterError):
        packing.pack(np.array([[4 * LARGEST_VALUE + 1]]))
    with pytest.raises(OutOfRange):
        packing.unpack(packing.largest_sum + 1, 1)
    with pytest.raises(OutOfRange):
        packing.unpack(1 << (3 * packing.layout.width), 2)
    for rows in (0, MOST_ROWS + 1):
        with pytest.raises(ParameterError):
            Slots(rows)


@given(st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=5))
def test_whole_numbers_are_within_half_a_unit(values):
    """Rounded to a power of two's multiples, the largest at most 2^VALUE_BITS."""
    values = np.array(values)
    integers, exponent = whole(values)
    assert np.abs(integers).max() <= LARGEST_VALUE
    if values.any():
        assert np.abs(integers).max() >= LARGEST_VALUE // 2
        error = np.abs(np.ldexp(values, exponent) - integers)
        assert error.max() <= 0.5


def test_numbers_that_are_none_are_refused():
    """A diverged model is reported, not encrypted."""
    for value in (np.nan, np.inf):
        with pytest.raises(ParameterError):
            whole(np.array([1.0, value]))
