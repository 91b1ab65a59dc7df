"""Encrypted sums of rows weighted by whole numbers, made of sums by group.

A column of whole numbers is split into bins: one for each of its values where they are few, or one for each
digit in a larger base. Rows are summed by bin (`vfl.aggregation.group_sums.EncryptedHistogram`); a bin's
weight is a sum of powers of two, so the bins are summed once more by bit of their weight, and the bits of a
column are put together by Horner's rule. A column costs one or a few multiplications a row, not one a bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from vfl.aggregation.group_sums import EncryptedHistogram, JointCells, plan
from vfl.algorithms.linear.slots import WEIGHT_BITS
from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs, to_bytes
from vfl.crypto.paillier import PublicKey

OFFSET = 2 ** (WEIGHT_BITS - 1)
"""Added to every weight, so that none is negative; taken back from the sums."""

MOST_DIGITS = 4

MOST_SHARED = 64
"""Columns of bins that are planned together: a plan takes time with their square."""


class WeightedSums:
    """For each column of weights the sum over rows of weight times plaintext, on ciphertexts.

    Rows come in chunks and are not kept.

    Args:
        public_key: of the ciphertexts.
        columns: for each its weights, int64 [rows], of absolute value below ``2^(WEIGHT_BITS - 1)``. They are
            taken one by one, and two bytes a row and digit are kept.
        shared: whether columns may share work by joint cells.
    """

    def __init__(self, public_key: PublicKey, columns: Iterable[Integers], *, shared: bool = True) -> None:
        self._key = public_key
        bins, values, column_of = [], [], []
        for column, weights in enumerate(columns):
            for codes, value in _bins(weights + OFFSET):
                bins.append(codes)
                values.append(value)
                column_of.append(np.full(len(value), column))
        self._columns = int(column_of[-1][0]) + 1
        n_bins = np.array([len(value) for value in values], dtype=np.int64)
        if shared and len(bins) <= MOST_SHARED:
            sets = plan(np.stack(bins, axis=1), n_bins, np.arange(len(bins), dtype=np.int64))
        else:
            sets = [JointCells((c,), codes, int(n_bins[c]) + 1) for c, codes in enumerate(bins)]
        self._sums = EncryptedHistogram(public_key.modulus, sets)
        self._first_bins = int(n_bins[0])
        bits = (np.concatenate(values)[:, None] >> np.arange(WEIGHT_BITS)) & 1
        self._bin, bit = np.nonzero(bits)
        self._group = (np.concatenate(column_of)[self._bin] * WEIGHT_BITS + bit).astype(np.int32)
        self._block_sums: Limbs | None = None

    def add(self, residues: Limbs, first: int) -> None:
        """Take the residues [m, limbs] of rows ``first`` to ``first + m - 1``."""
        index = np.arange(len(residues), dtype=np.int64)
        sums = self._sums.sum_by_bin(residues, index, index + first)
        self._block_sums = (
            sums if self._block_sums is None else self._key.modulus.multiply(self._block_sums, sums)
        )

    def take(self) -> Limbs:
        """Residues [columns, limbs] of the sums over the rows added since the last time."""
        bins, self._block_sums = self._block_sums, None
        if bins is None:
            raise ValueError("no row has been added")
        modulus = self._key.modulus
        by_bit = modulus.sum_by_group(bins, self._bin, self._group, self._columns * WEIGHT_BITS)
        shifted = modulus.pack(by_bit, WEIGHT_BITS, 1)
        # Every row is in one bin of the first column; a ciphertext to the power n - a holds -a times it.
        total = modulus.product(bins[: self._first_bins])
        return modulus.multiply(shifted, modulus.power(total, to_bytes(self._key.n - OFFSET)))


def _bins(weights: Integers) -> list[tuple[npt.NDArray[np.uint16], Integers]]:
    """The bin of each row and each bin's weight, for every digit of a column or for its values as they are.

    Chosen for the fewest multiplications: one a row and digit, and one for each bit that is set of each bin.
    """
    rows = len(weights)
    values, codes = np.unique(weights, return_inverse=True)
    cost = {digits: _multiplications(rows, digits) for digits in range(2, MOST_DIGITS + 1)}
    if len(values) < 2**16 and rows + len(values) * WEIGHT_BITS / 2 <= min(cost.values()):
        return [(codes.astype(np.uint16), values)]
    digits = min(cost, key=lambda count: cost[count])
    bits = -(-WEIGHT_BITS // digits)
    split = []
    for digit in range(digits):
        present, codes = np.unique(weights >> (bits * digit) & (2**bits - 1), return_inverse=True)
        split.append((codes.astype(np.uint16), present << (bits * digit)))
    return split


def _multiplications(rows: int, digits: int) -> float:
    bits = -(-WEIGHT_BITS // digits)
    return digits * (rows + float(1 << bits) * bits / 2)
