"""Numbers to integers and back: the one place where a float is rounded, packed and unpacked.

A row's value is ``v = g 2^w + h``, with ``g`` signed and ``h >= 0`` in fixed point and w wide enough for
the sum of h over all rows. A sum V of rows then holds both sums: ``H = V mod 2^w`` and
``G = (V - H) / 2^w``, without an offset and without knowing how many rows were added. Several sums share
one ciphertext in slots of equal width (``Modulus.pack``), each slot as wide as its rows can need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs
from vfl.crypto.slots import SlotLayout
from vfl.errors import OutOfRange, ParameterError

Floats = npt.NDArray[np.float64]

EXACT_BITS = 53  # float64 holds every integer up to 2^53
MAX_FRACTION_BITS = 40  # float32 gradients carry 24 bits; 16 more cost little and leave no visible rounding


@dataclass(frozen=True)
class FixedPoint:
    """Fixed point with ``fraction_bits`` binary places: an integer i stands for ``i / 2^fraction_bits``."""

    fraction_bits: int

    @staticmethod
    def fraction_bits_for(n_rows: int, max_abs: float) -> int:
        """The most binary places, 40 at most, with which a sum over ``n_rows`` stays exact in float64.

        Args:
            max_abs: no row's absolute value is larger.
        Raises:
            ParameterError: not even whole numbers would sum exactly.
        """
        if n_rows < 1 or not 0 < max_abs < math.inf:
            raise ParameterError("fixed point needs at least one row and a positive, finite bound")
        largest = 2**EXACT_BITS // n_rows - 1  # of a rounded row, in units of the last place
        if largest < max_abs:
            raise ParameterError(f"{n_rows} rows of up to {max_abs:g} cannot be summed exactly: rescale")
        return min(MAX_FRACTION_BITS, math.frexp(largest / max_abs)[1] - 1)

    def quantise(self, values: npt.NDArray[np.floating]) -> Integers:
        """Round to the nearest integer of fixed point, ties to even.

        Raises:
            ParameterError: a value is not finite, or its integer would not be exact in float64.
        """
        scaled: Floats = np.rint(np.ldexp(np.asarray(values, dtype=np.float64), self.fraction_bits))
        if not (np.abs(scaled) <= 2.0**EXACT_BITS).all():
            raise ParameterError("a value is not finite or too large for its fixed point")
        return scaled.astype(np.int64)

    def largest(self, max_abs: float) -> int:
        """The largest integer that a value up to ``max_abs`` rounds to."""
        return int(np.rint(np.ldexp(max_abs, self.fraction_bits)))


@dataclass(frozen=True)
class GradientPacking:
    """How gradient and hessian share a plaintext. Four numbers, so that both parties build the same one.

    Args:
        fraction_bits: binary places of both.
        n_rows: rows that any one sum may cover.
        max_abs_g: no row's ``|g|`` is larger.
        max_h: no row's h is larger; none is negative.
    Raises:
        ParameterError: sums over all rows would not be exact in float64.
    """

    fraction_bits: int
    n_rows: int
    max_abs_g: float
    max_h: float

    def __post_init__(self) -> None:
        bound = max(self.max_abs_g, self.max_h)
        if (
            self.max_h <= 0
            or self.max_abs_g <= 0
            or not (0 <= self.fraction_bits <= FixedPoint.fraction_bits_for(self.n_rows, bound))
        ):
            raise ParameterError("sums over all rows would not be exact: use fewer fraction bits")

    @property
    def largest_g(self) -> int:
        return FixedPoint(self.fraction_bits).largest(self.max_abs_g)

    @property
    def largest_h(self) -> int:
        return FixedPoint(self.fraction_bits).largest(self.max_h)

    @property
    def h_bits(self) -> int:
        """w: room for the sum of h over all rows."""
        return (self.n_rows * self.largest_h).bit_length()

    def pack(self, g: Integers, h: Integers) -> Limbs:
        """Row values as plaintexts.

        Args:
            g, h: ``[n]`` integers of fixed point.
        Returns:
            ``[n, 2]`` two's complement words.
        Raises:
            ParameterError: a value outside the declared bounds.
        """
        if not (
            g.shape == h.shape
            and (np.abs(g) <= self.largest_g).all()
            and (h >= 0).all()
            and (h <= self.largest_h).all()
        ):
            raise ParameterError("a gradient or hessian is outside the bounds declared for its packing")
        w = self.h_bits  # 1..53, so both shifts are defined
        low = (g.astype(np.uint64) << np.uint64(w)) | h.astype(np.uint64)
        high = (g >> np.int64(64 - w)).astype(np.uint64)
        return np.stack([low, high], axis=1)

    def slot_bits(self, count: int) -> int:
        """Bits of a slot that holds a sum over at most ``count`` rows, sign included."""
        if not 1 <= count <= self.n_rows:
            raise ParameterError(f"a sum covers 1 to {self.n_rows} rows, not {count}")
        return (count * self.largest_g).bit_length() + 1 + self.h_bits

    def slots_per_ciphertext(self, count: int, key_bits: int) -> int:
        """Slots that fit a plaintext of a key of ``key_bits`` bits, which spans -n/2 to n/2."""
        return (key_bits - 1) // self.slot_bits(count)

    def unpack(
        self, decrypted: Limbs, slots_per_ciphertext: int, slot_bits: int, n_sums: int, count: int
    ) -> tuple[Floats, Floats]:
        """Sums out of decrypted packed plaintexts.

        Args:
            decrypted: ``[ceil(n_sums / slots_per_ciphertext), words]``, two's complement.
            count: rows that each sum may cover, at most.
        Returns:
            (G, H), each ``[n_sums]`` float64, exact, in units of ``2^-fraction_bits``.
        Raises:
            OutOfRange: a plaintext holds more than its slots, or a sum is beyond what ``count`` rows allow.
        """
        most_slots = 64 * decrypted.shape[1] // slot_bits
        if not 1 <= slots_per_ciphertext <= most_slots or slot_bits != self.slot_bits(count):
            raise OutOfRange("the slots do not fit the plaintext or the number of rows")
        if len(decrypted) != -(-n_sums // slots_per_ciphertext):
            raise OutOfRange(f"{n_sums} sums were expected in another number of ciphertexts")
        layout, full = SlotLayout(slot_bits), n_sums // slots_per_ciphertext
        sums = [layout.unpack_signed(decrypted[:full], slots_per_ciphertext)]
        if rest := n_sums % slots_per_ciphertext:
            sums.append(layout.unpack_signed(decrypted[full:], rest))
        words = np.concatenate([numbers.reshape(-1, layout.words) for numbers in sums])
        most_g, most_h = count * self.largest_g, count * self.largest_h
        G, H = self._parts(words)
        if np.abs(G).max(initial=0) > most_g or H.max(initial=0) > most_h:
            raise OutOfRange(f"a decrypted sum is beyond what {count} rows allow")
        return G.astype(np.float64), H.astype(np.float64)

    def _parts(self, sums: Limbs) -> tuple[Integers, Integers]:
        """Return G and H of sums V, two's complement [n, 1 or 2]; both fit 63 bits."""
        w = self.h_bits
        H = (sums[:, 0] & np.uint64((1 << w) - 1)).astype(np.int64)
        if sums.shape[1] == 1:
            return sums.astype(np.int64)[:, 0] >> np.int64(w), H
        return (sums[:, 0] >> np.uint64(w) | sums[:, 1] << np.uint64(64 - w)).astype(np.int64), H
