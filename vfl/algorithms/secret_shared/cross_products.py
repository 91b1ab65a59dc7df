"""Before the first step: sums over rows of both parties' coordinates, and shares of the labels' part.

The label party encrypts its rows, a label and its coordinates each; the feature party weights them by its
own coordinates. The sums are masked; the masks of all but the labels' are told, so that the label party
learns how the coordinates of both go together, and both get shares of what labels add to every gradient.
"""

from __future__ import annotations

import numpy as np

from vfl.algorithms.secret_shared.ciphers import VALUE_OFFSET, Ciphers, MaskedSums, sum_slots
from vfl.algorithms.secret_shared.fourier import LARGEST_WAVE, WAVE_BITS
from vfl.algorithms.secret_shared.gradient_descent import GRADIENT_BITS
from vfl.algorithms.secret_shared.slots import Slots, number
from vfl.algorithms.secret_shared.whitening import FRACTION_BITS, Basis, bits_of
from vfl.arrays import Float64
from vfl.errors import MalformedMessage

LABEL_FACTOR = round(2.0 ** (GRADIENT_BITS - FRACTION_BITS - 1) / LARGEST_WAVE)
"""What a unit of a sum of labels is worth in a gradient, in units of ``2^-GRADIENT_BITS``."""


def plaintexts_of_a_row(width: int, slots: Slots) -> int:
    """How many ciphertexts hold a row's label and coordinates."""
    return -(-(width + 1) // slots.per_plaintext)


class LabelSums:
    """The label party's part.

    Args:
        y: float64 [n], labels 0 and 1.
    """

    def __init__(self, ciphers: Ciphers, basis: Basis, y: Float64) -> None:
        self._ciphers, self._exponent, self.width = ciphers, basis.exponent, basis.width
        scaled = basis.columns * (LARGEST_WAVE / 2.0**basis.exponent)
        self._values = np.rint(np.column_stack([(1 - 2 * y) * LARGEST_WAVE, scaled])).astype(np.int64)
        bits = bits_of(ciphers.peer.exponent)
        self._offset = 1 << (bits - 1)
        self._slots = sum_slots(ciphers.rows, WAVE_BITS, bits, ciphers.key.bits)
        self.plaintexts = plaintexts_of_a_row(self.width, self._slots)

    def encrypted(self, rows: slice) -> bytes:
        """Ciphertexts of rows: the first of each row, then the second, and so on."""
        values, per = self._values[rows] + VALUE_OFFSET, self._slots.per_plaintext
        parts = [values[:, first : first + per] for first in range(0, values.shape[1], per)]
        return b"".join(self._ciphers.encrypt(self._slots.pack(part)) for part in parts)

    def take(self, sums: bytes, masks: bytes) -> tuple[Float64, list[int]]:
        """Sums over rows of products of coordinates, float64 [label party's, feature party's], and shares
        of the gradient's part ``columns'(1/2 - y)`` for the feature party's coordinates."""
        f, width, per = self._ciphers.peer.width, self._slots.width, self._slots.per_plaintext
        opened = self._ciphers.opened(sums, f * self.plaintexts, self._slots)
        if len(masks) != f * self.width * width:
            raise MalformedMessage(f"{f * self.width} masks of {width} bytes were due")
        told = np.frombuffer(masks, dtype=np.uint8).reshape(f, self.width, width)
        added = [self._offset * int(total) for total in self._values.sum(axis=0)]

        def share(column: int, value: int) -> int:
            part, slot = divmod(value, per)
            return number(opened[part * f + column, slot]) - added[value]

        cross = [
            [share(j, 1 + i) - number(told[j, i]) for j in range(f)]  # of j's column and i's
            for i in range(self.width)
        ]
        unit = 2.0 ** (self._exponent - FRACTION_BITS) / LARGEST_WAVE
        return np.array(cross, dtype=np.float64) * unit, [LABEL_FACTOR * share(j, 0) for j in range(f)]


class FeatureSums:
    """The feature party's part."""

    def __init__(self, ciphers: Ciphers, basis: Basis) -> None:
        self._ciphers, self._basis, self._whole = ciphers, basis, basis.whole
        self._slots = sum_slots(ciphers.rows, WAVE_BITS, basis.bits, ciphers.peer.key.bits)
        self.plaintexts = plaintexts_of_a_row(ciphers.peer.width, self._slots)
        self._sums = [MaskedSums(ciphers, self._slots, basis.bits) for _ in range(self.plaintexts)]

    def take(self, ciphertexts: bytes, rows: slice) -> None:
        """Add rows; raises as `Ciphers.residues` does."""
        weights = self._whole[rows]
        residues = self._ciphers.residues(ciphertexts, self.plaintexts * len(weights))
        for part, sums in enumerate(self._sums):
            sums.add(residues[part * len(weights) : (part + 1) * len(weights)], weights)

    def masked(self) -> tuple[bytes, bytes, list[int]]:
        """The masked sums, the masks of all but the labels', and shares as in `LabelSums.take`."""
        per, f = self._slots.per_plaintext, self._basis.width
        sums = b"".join(part.masked() for part in self._sums)
        masks = [
            -self._sums[value // per].share(column, value % per)
            for column in range(f)
            for value in range(1, self._ciphers.peer.width + 1)
        ]
        told = b"".join(mask.to_bytes(self._slots.width, "little") for mask in masks)
        return sums, told, [LABEL_FACTOR * self._sums[0].share(column, 0) for column in range(f)]
