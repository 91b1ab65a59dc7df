"""Before the first step: cross products of both parties' coordinates, and secret shares of the labels' part.

The label party encrypts its rows, a label and its coordinates each; the feature party weights them by its
own coordinates. The sums are masked. The feature party sends the masks of all but the labels', so that the
label party learns the cross products of both parties' coordinates, and both get secret shares of what labels
add to every gradient.
"""

from __future__ import annotations

import numpy as np

from vfl.algorithms.secret_shared.ciphers import VALUE_OFFSET, Ciphers, MaskedSums, sum_slots
from vfl.algorithms.secret_shared.fourier import LARGEST_TERM, TERM_BITS
from vfl.algorithms.secret_shared.gradient_descent import GRADIENT_BITS
from vfl.algorithms.secret_shared.slots import Slots, number
from vfl.algorithms.secret_shared.whitening import FRACTION_BITS, Basis, bits_of
from vfl.arrays import Float64, Integers, Limbs
from vfl.errors import MalformedMessage

LABEL_FACTOR = round(2.0 ** (GRADIENT_BITS - FRACTION_BITS - 1) / LARGEST_TERM)
"""What a unit of a sum of labels is worth in a gradient, in units of ``2^-GRADIENT_BITS``."""


def plaintexts_of_a_row(width: int, slots: Slots) -> int:
    """Return how many ciphertexts hold a row's label and coordinates."""
    return -(-(width + 1) // slots.per_plaintext)


class LabelSums:
    """The label party's part.

    Args:
        ciphers: its own.
        basis: of its own columns.
        y: float64 [n], labels 0 and 1.

    Attributes:
        plaintexts: of a row.
    """

    def __init__(self, ciphers: Ciphers, basis: Basis, y: Float64) -> None:
        self._ciphers, self._exponent, self._width = ciphers, basis.exponent, basis.width
        scaled = basis.columns * (LARGEST_TERM / 2.0**basis.exponent)
        self._values = np.rint(np.column_stack([(1 - 2 * y) * LARGEST_TERM, scaled])).astype(np.int64)
        bits = bits_of(ciphers.peer.exponent)
        self._offset = 1 << (bits - 1)
        self._slots = sum_slots(ciphers.rows, TERM_BITS, bits, ciphers.key.bits)
        self.plaintexts = plaintexts_of_a_row(self._width, self._slots)

    def ciphertexts(self, rows: Integers) -> Limbs:
        """Return ciphertexts of rows: the first of each row, then the second, and so on."""
        values, per = self._values[rows] + VALUE_OFFSET, self._slots.per_plaintext
        parts = [values[:, first : first + per] for first in range(0, values.shape[1], per)]
        return np.concatenate([self._ciphers.encrypt(self._slots.pack(part)) for part in parts])

    def open(self, sums: bytes, masks: bytes) -> tuple[Float64, list[int]]:
        """Return cross products float64 [label party's, feature party's], summed over rows, and shares of
        the gradient's part ``columns'(1/2 - y)`` for the feature party's coordinates.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the feature party was to send.
        """
        f, width, per = self._ciphers.peer.width, self._slots.width, self._slots.per_plaintext
        opened = self._ciphers.opened(sums, f * self.plaintexts, self._slots)
        if len(masks) != f * self._width * width:
            raise MalformedMessage(f"{f * self._width} masks of {width} bytes were due")
        added = [self._offset * int(total) for total in self._values.sum(axis=0)]

        def share(column: int, value: int) -> int:
            part, slot = divmod(value, per)
            return number(opened[part * f + column, slot]) - added[value]

        def mask(column: int, coordinate: int) -> int:
            start = (column * self._width + coordinate) * width
            return int.from_bytes(masks[start : start + width], "little")

        products = [[share(j, 1 + i) - mask(j, i) for j in range(f)] for i in range(self._width)]
        unit = 2.0 ** (self._exponent - FRACTION_BITS) / LARGEST_TERM
        return np.array(products, dtype=np.float64) * unit, [LABEL_FACTOR * share(j, 0) for j in range(f)]


class FeatureSums:
    """The feature party's part.

    Args:
        ciphers: its own.
        basis: of its own columns.

    Attributes:
        plaintexts: of a row of the label party.
    """

    def __init__(self, ciphers: Ciphers, basis: Basis) -> None:
        self._ciphers, self._basis, self._whole = ciphers, basis, basis.whole
        self._slots = sum_slots(ciphers.rows, TERM_BITS, basis.bits, ciphers.peer.key.bits)
        self.plaintexts = plaintexts_of_a_row(ciphers.peer.width, self._slots)
        self._sums = [
            MaskedSums(ciphers, self._slots, basis.bits, basis.width) for _ in range(self.plaintexts)
        ]

    def add(self, first: int, residues: Limbs) -> None:
        """Add the residues [m plaintexts, limbs] of m rows, the first of them row ``first``."""
        rows = len(residues) // self.plaintexts
        weights = self._whole[first : first + rows]
        for part, sums in enumerate(self._sums):
            sums.add(residues[part * rows : (part + 1) * rows], weights)

    def masked(self) -> tuple[bytes, bytes, list[int]]:
        """Return the masked sums, the masks of all but the labels', and shares as in `LabelSums.open`."""
        per, f = self._slots.per_plaintext, self._basis.width
        masked = [sums.masked() for sums in self._sums]
        shares = [part for _, part in masked]
        masks = [
            -shares[value // per].share(column, value % per)
            for column in range(f)
            for value in range(1, self._ciphers.peer.width + 1)
        ]
        data = b"".join(mask.to_bytes(self._slots.width, "little") for mask in masks)
        labels = [LABEL_FACTOR * shares[0].share(column, 0) for column in range(f)]
        return b"".join(sums for sums, _ in masked), data, labels
