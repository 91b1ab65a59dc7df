"""Several signed numbers of a row in one plaintext, so wide apart that weighted sums of rows stay apart.

The label party packs whole numbers ``v`` of a row; a feature party multiplies rows by whole weights ``q``
and adds them up. Slot k of the sum holds ``S_k``, the sum of ``q_i v_ik``.

No sum leaves its slot: a plaintext stands for one customer or for several, whose values it adds; together
they stand for at most ``rows`` customers with ``|v| <= 2^VALUE_BITS`` each. With
``|q| < 2^(WEIGHT_BITS - 1)`` follows ``|S_k| < rows 2^VALUE_BITS 2^(WEIGHT_BITS - 1) < 2^(width - 1)`` with
``width = VALUE_BITS + WEIGHT_BITS + bits of rows``. All slots together span at most 64 bits less than the
key, so the sum, read as a signed number modulo n, is the sum itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float64, Integers
from vfl.crypto.kernel import Limbs, from_ints, to_ints
from vfl.crypto.slots import SlotLayout
from vfl.errors import OutOfRange, ParameterError

VALUE_BITS = 32
"""Of a row's number: rounding moves a sum by less than 2^-33 of its largest row for each row."""

WEIGHT_BITS = 24
"""Of a whole weight, sign included."""

MOST_ROWS = 2**29
"""Customers of a job, so that a plaintext that adds them all still packs from 64-bit words."""


@dataclass(frozen=True)
class Slots:
    """How numbers share a plaintext; both parties build the same from the number of customers.

    Args:
        rows: customers that all plaintexts of a pass stand for together.

    Raises:
        ParameterError: no customers, or too many.
    """

    rows: int

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= MOST_ROWS:
            raise ParameterError(f"a job has 1 to {MOST_ROWS} rows, not {self.rows}")

    @property
    def layout(self) -> SlotLayout:
        """Slots as wide as a sum, sign included."""
        return SlotLayout(VALUE_BITS + WEIGHT_BITS + self.rows.bit_length())

    @property
    def largest_sum(self) -> int:
        """No slot of a weighted sum is larger."""
        return self.rows << (VALUE_BITS + WEIGHT_BITS - 1)

    def per_plaintext(self, key_bits: int) -> int:
        """Return how many slots one plaintext of a key has."""
        return self.layout.per_plaintext(key_bits - 64)

    def pack(self, values: Integers) -> Limbs:
        """Put rows of numbers into plaintexts.

        Args:
            values: int64 [n, slots]; a row that stands for c customers holds at most ``c 2^VALUE_BITS``.

        Returns:
            two's complement words [n, k], k less than the words of a key whose plaintexts hold ``slots``.

        Raises:
            ParameterError: a value is beyond what all rows together allow.
        """
        return self.layout.pack_signed(values, self.rows << VALUE_BITS)

    def unpack(self, plaintext: int, slots: int) -> list[int]:
        """Return the slots of a weighted sum.

        Raises:
            OutOfRange: a sum is beyond what the rows allow.
        """
        words = from_ints([plaintext], plaintext.bit_length() // 64 + 1, signed=True)
        numbers = self.layout.unpack_signed(words, slots)
        sums = to_ints(numbers.reshape(-1, self.layout.words), signed=True)
        if max(map(abs, sums)) > self.largest_sum:
            raise OutOfRange("a decrypted sum is beyond what the rows of the job allow")
        return sums


def whole(values: Float64) -> tuple[Integers, int]:
    """Return numbers as whole multiples of a power of two: ``values ~ integers / 2^exponent``.

    No integer is larger than ``2^VALUE_BITS``.

    Raises:
        ParameterError: a value is not finite.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if not math.isfinite(largest):
        raise ParameterError("a value of a row is not finite: the model has diverged")
    exponent = VALUE_BITS - math.frexp(largest)[1] if largest > 0 else 0
    return np.rint(np.ldexp(values, exponent)).astype(np.int64), exponent
