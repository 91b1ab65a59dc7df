"""Whole numbers in slots of one plaintext come out as they went in, or not at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.slots import SlotLayout
from vfl.errors import OutOfRange, ParameterError


@given(st.integers(2, 200), st.integers(1, 20), st.data())
def test_signed_sums_come_out_of_every_slot(width, slots, data):
    """At both ends of the range, whatever the neighbours hold and however wide a slot is."""
    layout, half = SlotLayout(width), 1 << (width - 1)
    number = st.one_of(st.sampled_from([-half, half - 1, 0, -1]), st.integers(-half, half - 1))
    numbers = data.draw(st.lists(number, min_size=slots, max_size=slots))
    plaintext = sum(number << (width * slot) for slot, number in enumerate(numbers))
    for spare in (1, 2):
        words = from_ints([plaintext], width * slots // 64 + spare, signed=True)
        read = layout.unpack_signed(words, slots)
        assert to_ints(read.reshape(-1, layout.words), signed=True) == numbers


@given(st.integers(1, 200), st.integers(1, 20), st.data())
def test_numbers_from_0_on_are_packed_and_unpacked(width, slots, data):
    """Of any number of words, several plaintexts at once, with a top bit of 0."""
    layout = SlotLayout(width)
    number = st.one_of(st.sampled_from([0, 2**width - 1]), st.integers(0, 2**width - 1))
    numbers = data.draw(st.lists(number, min_size=2 * slots, max_size=2 * slots))
    packed = layout.pack(from_ints(numbers, layout.words).reshape(2, slots, -1), width)
    expected = [
        sum(n << (width * k) for k, n in enumerate(row)) for row in (numbers[:slots], numbers[slots:])
    ]
    assert to_ints(packed, signed=True) == expected
    assert to_ints(layout.unpack(packed, slots).reshape(-1, layout.words)) == numbers


@given(st.integers(64, 120), st.lists(st.integers(-(2**61), 2**61), min_size=1, max_size=8))
def test_signed_numbers_are_packed(width, numbers):
    """The plaintext is their sum, each shifted to its slot."""
    packed = SlotLayout(width).pack_signed(np.array([numbers]), 2**61)
    assert to_ints(packed, signed=True) == [sum(n << (width * k) for k, n in enumerate(numbers))]


def test_what_is_beyond_the_bounds_is_refused():
    """Ours is a mistake of parameters, the peer's a number out of range; both ends of the slots count."""
    layout = SlotLayout(70)
    with pytest.raises(ParameterError):
        layout.pack_signed(np.array([[5, -9]]), 8)
    for plaintext in (-1, 1 << 140):
        with pytest.raises(OutOfRange):
            layout.unpack(from_ints([plaintext], 4, signed=True), 2)
    half = 1 << 69
    for plaintext in (half << 70, (-half << 70) - half - 1, 1 << 200, -(1 << 200)):
        with pytest.raises(OutOfRange):
            layout.unpack_signed(from_ints([plaintext], 4, signed=True), 2)
    assert SlotLayout(70).per_plaintext(2048 - 64) == 28
