"""What a party computes on the other's ciphertexts: rows times encrypted coefficients, and weighted rows.

Weights and rows are whole numbers that are never negative; who holds them adds an offset first, and takes
back what that adds to a sum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs, Modulus, from_ints, to_bytes

MOST_DIGIT_BITS = 8
"""Bits of a digit of a row in `scalar_products`, whose tables hold the powers to all digits."""

PACKED_AT_ONCE = 2048
"""Ciphertexts of scalar products that are worked on together: their rows' digits are in memory."""

MOST_BIN_BITS = 11
"""Bits of a weight, or of a digit of it, by which rows are binned: 2^11 bins are a tenth of W1's rows."""

COLUMNS_AT_ONCE = 16
"""Columns of weights whose bins are in memory together: a megabyte for each, at 2048 bits."""


def scalar_products(
    modulus: Modulus, coefficients: Limbs, rows: Integers, bits: int, slots: int, shift: int
) -> Limbs:
    """Scalar products of rows with encrypted coefficients, packed.

    By tables of the powers of each coefficient to all digits, one for each slot and place of a digit, so that
    a row costs a multiplication for each digit (Brickell, Gordon, McCurley and Wilson 1992).

    Args:
        modulus: n^2.
        coefficients: residues [d, limbs].
        rows: int64 [n, d], from 0 to ``2^bits - 1``.
        slots: rows of one ciphertext; shift: bits of a slot.

    Returns:
        residues [ceil(n / slots), limbs].
    """
    n, d = rows.shape
    places = -(-bits // MOST_DIGIT_BITS)
    digit_bits = -(-bits // places)
    slots = min(slots, n)
    bases = [coefficients]
    for _ in range(slots - 1):
        bases.append(modulus.power(bases[-1], to_bytes(1 << shift)))
    digits = [np.concatenate(bases)]
    for _ in range(places - 1):
        digits.append(modulus.power(digits[-1], to_bytes(1 << digit_bits)))
    table = _powers(modulus, np.concatenate(digits), 1 << digit_bits)  # [count, places, slots, d]
    digit_place = np.arange(places)[:, None, None]
    packed = []
    for first in range(0, n, PACKED_AT_ONCE * slots):
        block = rows[first : first + PACKED_AT_ONCE * slots]
        row = np.arange(len(block))
        place = (digit_place * slots + (row % slots)[:, None]) * d + np.arange(d)
        digit = block >> (digit_bits * digit_place) & ((1 << digit_bits) - 1)
        index = digit * (places * slots * d) + place
        groups = np.broadcast_to((row // slots)[:, None], index.shape).astype(np.int32)
        packed.append(modulus.sum_by_group(table, index.ravel(), groups.ravel(), -(-len(block) // slots)))
    return np.concatenate(packed)


def _powers(modulus: Modulus, bases: Limbs, count: int) -> Limbs:
    """Powers 0 to ``count - 1`` of residues [k, limbs], power by power."""
    one = modulus.to_residues(from_ints([1], modulus.limbs))
    powers = [np.repeat(one, len(bases), axis=0), bases]
    for exponent in range(2, count):
        half = powers[exponent // 2]
        powers.append(modulus.multiply(half, powers[exponent - exponent // 2]))
    return np.concatenate(powers)


def weighted_sums(modulus: Modulus, residues: Limbs, weights: Integers, bits: int) -> Limbs:
    """For each column of weights the sum over rows of weight times plaintext.

    Rows are summed by digit of their weight; the bins of a digit are summed again by its upper and by its
    lower half, and those by bit: a row costs one multiplication for each digit, a bin two.

    Args:
        residues: [n, limbs].
        weights: int64 [n, c], from 0 to ``2^bits - 1``.

    Returns:
        residues [c, limbs].
    """
    n, c = weights.shape
    count = -(-bits // MOST_BIN_BITS)
    digit_bits = -(-bits // count)
    shifts = np.arange(count) * digit_bits
    digits = (weights.T[:, None, :] >> shifts[:, None] & (2**digit_bits - 1)).reshape(c * count, n)
    by_bit = [
        _bit_sums(modulus, residues, digits[first : first + COLUMNS_AT_ONCE], digit_bits)
        for first in range(0, c * count, COLUMNS_AT_ONCE)
    ]
    return modulus.pack(np.concatenate(by_bit), count * digit_bits, 1)


def _bit_sums(modulus: Modulus, residues: Limbs, digits: Integers, bits: int) -> Limbs:
    """Sums of the rows whose digit has a bit set: residues [columns * bits, limbs], lowest bit first."""
    columns, n = digits.shape
    low = bits // 2
    bins, halves = 1 << bits, (1 << low) + (1 << (bits - low))
    rows = np.tile(np.arange(n, dtype=np.int64), columns)
    sums = modulus.sum_by_group(residues, rows, _numbered(digits, bins), columns * bins)
    bin_ = np.arange(bins)
    half = np.concatenate([bin_ & ((1 << low) - 1), (1 << low) + (bin_ >> low)])
    every = np.arange(columns)[:, None]
    sums = modulus.sum_by_group(
        sums,
        (every * bins + np.tile(bin_, 2)).ravel(),
        _numbered(np.tile(half, (columns, 1)), halves),
        columns * halves,
    )
    value = np.concatenate([np.arange(1 << low), np.arange(1 << (bits - low)) << low])
    position, bit = np.nonzero(value[:, None] >> np.arange(bits) & 1)
    return modulus.sum_by_group(
        sums, (every * halves + position).ravel(), _numbered(np.tile(bit, (columns, 1)), bits), columns * bits
    )


def _numbered(labels: Integers, count: int) -> npt.NDArray[np.int32]:
    """Labels [columns, m] below count, made distinct by column and put in a row."""
    return (labels + np.arange(len(labels))[:, None] * count).astype(np.int32).ravel()
