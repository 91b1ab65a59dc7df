"""Fixed point, and gradients packed into plaintexts and slots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import OutOfRange, ParameterError

PACKING = GradientPacking(fraction_bits=20, n_rows=1000, max_abs_g=1.0, max_h=0.25)


@given(st.integers(1, 10**9), st.floats(1e-6, 1e5))
def test_sums_over_all_rows_stay_exact(n_rows, max_abs):
    """The chosen binary places keep a sum of the largest values of all rows below 2^53, and waste none."""
    try:
        bits = FixedPoint.fraction_bits_for(n_rows, max_abs)
    except ParameterError:
        assert n_rows * (max_abs + 2) > 2**52
        return
    assert n_rows * FixedPoint(bits).largest(max_abs) < 2**53
    assert bits == 40 or n_rows * (max_abs * 2.0 ** (bits + 1) + 2) >= 2**53


def test_rounding_is_half_to_even():
    """Ties go to the even neighbour, as IEEE 754 and XGBoost's own rounding do."""
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.75])
    assert FixedPoint(0).quantise(values).tolist() == [0, 2, 2, 0, -2, 1]
    assert FixedPoint(2).quantise(np.float32([0.25, -1.0])).tolist() == [1, -4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**60])
def test_unusable_floats_are_refused(bad):
    """Nothing that is not finite or not exact becomes an integer, and the message shows no value."""
    with pytest.raises(ParameterError, match="finite"):
        FixedPoint(10).quantise(np.array([0.0, bad]))


def integers(packing, n):
    g = st.integers(-packing.largest_g, packing.largest_g)
    h = st.integers(0, packing.largest_h)
    return st.lists(st.tuples(g, h), min_size=n, max_size=n)


@given(integers(PACKING, 5))
def test_a_row_value_is_g_shifted_plus_h(rows):
    """v = g 2^w + h, as a signed integer, extremes included."""
    g, h = np.array(rows, dtype=np.int64).T
    values = to_ints(PACKING.pack(g, h), signed=True)
    assert values == [a * 2**PACKING.h_bits + b for a, b in rows]


def test_rows_outside_the_bounds_are_refused():
    """A gradient or hessian beyond what was declared would spill into its neighbour, so it raises."""
    for g, h in [(PACKING.largest_g + 1, 0), (0, -1), (0, PACKING.largest_h + 1)]:
        with pytest.raises(ParameterError, match="bounds"):
            PACKING.pack(np.array([g]), np.array([h]))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 1000), st.integers(1, 40))
def test_packed_sums_unpack(data, count, n_sums):
    """Sums of up to ``count`` rows survive slots and ciphertexts, at the extremes of both numbers."""
    g = st.sampled_from([-count * PACKING.largest_g, count * PACKING.largest_g, 0, -1, 1])
    h = st.sampled_from([0, 1, count * PACKING.largest_h])
    sums = data.draw(st.lists(st.tuples(g, h), min_size=n_sums, max_size=n_sums))
    bits, slots = PACKING.slot_bits(count), PACKING.slots_per_ciphertext(count, 512)
    values = [G * 2**PACKING.h_bits + H for G, H in sums]
    packed = [
        sum(v << (bits * k) for k, v in enumerate(values[first : first + slots]))
        for first in range(0, n_sums, slots)
    ]
    assert max(map(abs, packed)) < 2**510  # inside -n/2..n/2 for any n of 512 bits
    G, H = PACKING.unpack(from_ints(packed, 8, signed=True), slots, bits, n_sums, count)
    assert list(zip(G.tolist(), H.tolist(), strict=True)) == sums


def test_sums_beyond_the_bounds_are_out_of_range():
    """A plaintext wider than its slots, or a sum that the rows cannot reach, raises."""
    count, w = 10, PACKING.h_bits
    bits, slots = PACKING.slot_bits(count), PACKING.slots_per_ciphertext(count, 256)
    for value in (
        1 << (bits * slots),
        (count * PACKING.largest_g + 1) << w,
        -(count * PACKING.largest_g + 1) << w,
        count * PACKING.largest_h + 1,
        -1,  # G = -1 with H of all ones
    ):
        with pytest.raises(OutOfRange):
            PACKING.unpack(from_ints([value], 8, signed=True), slots, bits, 1, count)
    one = from_ints([1], 8)
    for arguments in ((slots, bits, slots + 1, count), (slots, bits + 1, 1, count), (0, bits, 1, count)):
        with pytest.raises(OutOfRange):
            PACKING.unpack(one, *arguments)


def test_no_sums_unpack_to_nothing():
    """An empty reply is two empty arrays."""
    G, H = PACKING.unpack(np.zeros((0, 8), dtype=np.uint64), 3, PACKING.slot_bits(5), 0, 5)
    assert G.shape == H.shape == (0,)


def test_packings_that_cannot_be_exact_are_refused():
    """Bounds under which a sum could leave float64's exact integers, or that make no sense."""
    for arguments in ((40, 10**6, 1.0, 0.25), (20, 0, 1.0, 0.25), (-1, 10, 1.0, 0.25), (20, 10, 0.0, 0.25)):
        with pytest.raises(ParameterError):
            GradientPacking(*arguments)


def test_encrypted_histograms_are_exact(private_key):
    """Gradients encrypted, summed by bin, packed, re-randomised, decrypted: the integers numpy sums to."""
    key, rng = private_key.public_key, np.random.default_rng(0)
    n, bins, fixed = 300, 45, FixedPoint(FixedPoint.fraction_bits_for(300, 1.0))
    packing = GradientPacking(fixed.fraction_bits, n, 1.0, 0.25)
    g, h = fixed.quantise(rng.uniform(-1, 1, n)), fixed.quantise(rng.uniform(0, 0.25, n))
    bin_of = rng.integers(0, bins, n).astype(np.int32)

    residues = check_ciphertexts(key, Encryptor(private_key).encrypt(packing.pack(g, h)))
    sums = key.modulus.sum_by_group(residues, np.arange(n), bin_of, bins)
    bits, slots = packing.slot_bits(n), packing.slots_per_ciphertext(n, key.bits)
    packed = Rerandomizer(key).rerandomize(key.modulus.pack(sums, slots, bits))

    decrypted = Decryptor(private_key).decrypt(key.modulus.from_residues(packed))
    G, H = packing.unpack(decrypted, slots, bits, bins, n)
    assert G.tolist() == np.bincount(bin_of, g, bins).tolist()
    assert H.tolist() == np.bincount(bin_of, h, bins).tolist()
