"""Several whole numbers side by side in one plaintext, each in a slot of its own.

Slot k of a plaintext is its bits from ``k * width`` on. The plaintext ``sum of v_k 2^(k width)`` holds signed
numbers where every ``|v_k|`` is below ``2^(width - 1)``, and numbers from 0 on where every ``v_k`` is below
``2^width``. How wide a slot must be follows from what is added up in it; that is for each protocol to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs, from_ints
from vfl.crypto.paillier import subtract
from vfl.errors import OutOfRange, ParameterError


@dataclass(frozen=True)
class SlotLayout:
    """Slots of one width.

    Args:
        width: bits of a slot, the sign of a signed number included.
    """

    width: int

    @property
    def words(self) -> int:
        """Words of a number that is read from a slot."""
        return self.width // 64 + 1

    def per_plaintext(self, bits: int) -> int:
        """Return how many slots fit so many bits."""
        return bits // self.width

    def pack(self, numbers: Limbs, last_bits: int) -> Limbs:
        """Put numbers that are never negative into slots.

        Args:
            numbers: uint64 [n, slots, any], words of numbers below ``2^width``, least first.
            last_bits: of the numbers in the last slot; the plaintext is no longer than they need.

        Returns:
            plaintexts [n, words], whose top bit is 0.
        """
        n, slots, parts = numbers.shape
        words = (self.width * (slots - 1) + last_bits) // 64 + 1
        packed = np.zeros((n, words + parts + 1), dtype=np.uint64)
        for slot in range(slots):
            for part in range(parts):
                word, bit = divmod(self.width * slot + 64 * part, 64)
                packed[:, word] |= numbers[:, slot, part] << np.uint64(bit)
                if bit:
                    packed[:, word + 1] |= numbers[:, slot, part] >> np.uint64(64 - bit)
        return np.ascontiguousarray(packed[:, :words])

    def pack_signed(self, numbers: Integers, most: int) -> Limbs:
        """Put signed numbers into slots.

        Args:
            numbers: int64 [n, slots].
            most: no absolute value is larger; below 2^62.

        Returns:
            plaintexts [n, words], two's complement.

        Raises:
            ParameterError: a number is larger.
        """
        if (np.abs(numbers) > most).any():
            raise ParameterError("a value is beyond the bounds of its slot")
        # Shifted, no number is negative, so bits of different slots do not meet.
        shifted = (numbers + most).astype(np.uint64)[:, :, None]
        packed = self.pack(shifted, (2 * most).bit_length())
        return subtract(packed, from_ints([self._in_every_slot(most, numbers.shape[1])], packed.shape[1]))

    def unpack(self, plaintexts: Limbs, slots: int) -> Limbs:
        """Return the numbers of plaintexts [n, any] that hold no negative one, uint64 [n, slots, words].

        Raises:
            OutOfRange: a plaintext is negative or longer than its slots.
        """
        width, words = self.width, self.words
        used, rest = divmod(width * slots, 64)
        if plaintexts.shape[1] > used:
            over = plaintexts[:, used] >> np.uint64(rest)
            if over.any() or plaintexts[:, used + 1 :].any():
                raise OutOfRange("a decrypted plaintext holds more than its slots")
        bits = np.zeros((len(plaintexts), used + words + 2), dtype=np.uint64)
        copied = min(bits.shape[1], plaintexts.shape[1])
        bits[:, :copied] = plaintexts[:, :copied]
        numbers = np.empty((len(plaintexts), slots, words), dtype=np.uint64)
        for slot in range(slots):
            for part in range(words):
                word, bit = divmod(width * slot + 64 * part, 64)
                numbers[:, slot, part] = bits[:, word] >> np.uint64(bit)
                if bit:
                    numbers[:, slot, part] |= bits[:, word + 1] << np.uint64(64 - bit)
        numbers[:, :, -1] &= np.uint64((1 << width % 64) - 1)
        return numbers

    def unpack_signed(self, plaintexts: Limbs, slots: int) -> Limbs:
        """Return the signed numbers of plaintexts [n, any], two's complement [n, slots, words].

        Raises:
            OutOfRange: a plaintext is beyond what its slots hold.
        """
        half = 1 << (self.width - 1)
        # Wide enough for all slots and a sign, so that the sum below cannot wrap round.
        words = max(plaintexts.shape[1], self.width * slots // 64 + 1) + 1
        wide = np.empty((len(plaintexts), words), dtype=np.uint64)
        wide[:, : plaintexts.shape[1]] = plaintexts
        wide[:, plaintexts.shape[1] :] = (plaintexts[:, -1:].astype(np.int64) >> 63).astype(np.uint64)
        shifted = subtract(wide, from_ints([-self._in_every_slot(half, slots)], words, signed=True))
        numbers = self.unpack(shifted, slots)
        signed = subtract(numbers.reshape(-1, self.words), from_ints([half], self.words))
        return signed.reshape(numbers.shape)

    def _in_every_slot(self, number: int, slots: int) -> int:
        return sum(number << (self.width * slot) for slot in range(slots))
