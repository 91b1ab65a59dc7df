"""Numbers side by side in one plaintext, each under a mask of its own.

A slot holds a number that is never negative plus a mask that is ``STATISTICAL_BITS`` bits longer: whatever
the number is, the sum looks the same but with a chance of ``2^-STATISTICAL_BITS``. The masked number stays in
its slot, so who decrypts it and who drew the mask hold whole-number shares of it.
"""

from __future__ import annotations

import secrets

import numpy as np

from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs, combine, from_ints, to_bytes
from vfl.crypto.keys import PublicKey
from vfl.crypto.randomness import STATISTICAL_BITS, Rerandomizer
from vfl.crypto.slots import SlotLayout

PACKED_BITS = 32
"""Of a number of a row."""


class Slots:
    """How masked numbers share a plaintext of a key.

    Args:
        largest_bits: no number is ``2^largest_bits`` or more.
        key_bits: of the key; the slots take at most two bits less.

    Attributes:
        width: bytes of a slot.
        layout: the slots.
        per_plaintext: how many there are.
    """

    def __init__(self, largest_bits: int, key_bits: int) -> None:
        self.width = -(-(largest_bits + STATISTICAL_BITS + 1) // 8)
        self.layout = SlotLayout(8 * self.width)
        self.per_plaintext = self.layout.per_plaintext(key_bits - 2)

    def pack(self, values: Integers) -> Limbs:
        """Put numbers int64 [n, slots] from 0 to ``2^PACKED_BITS - 1`` into plaintexts [n, words]."""
        return self.layout.pack(values.astype(np.uint64)[:, :, None], PACKED_BITS)

    def masks(self, count: int) -> Limbs:
        """Draw masks for all slots of plaintexts, uint64 [count, per_plaintext, words]: even below half a
        slot."""
        size = count * self.per_plaintext * self.width
        data = np.zeros((count, self.per_plaintext, 8 * self.layout.words), dtype=np.uint8)
        data[:, :, : self.width] = np.frombuffer(secrets.token_bytes(size), dtype=np.uint8).reshape(
            count, self.per_plaintext, self.width
        )
        data[:, :, self.width - 1] &= 0x7F
        return data.view("<u8").astype(np.uint64)

    def unpack(self, plaintexts: Limbs) -> Limbs:
        """Return the slots of decrypted plaintexts, uint64 [n, per_plaintext, words].

        Raises:
            OutOfRange: a plaintext is negative or longer than its slots.
        """
        return self.layout.unpack(plaintexts, self.per_plaintext)

    def cover(self, key: PublicKey, rerandomizer: Rerandomizer, residues: Limbs, masks: Limbs) -> bytes:
        """Return ciphertexts of what residues [n, limbs] hold plus masks, with fresh randomness."""
        one = from_ints([1], key.limbs)
        packed = self.layout.pack(masks, self.layout.width)
        encrypted = combine(packed, to_bytes(key.n), one, b"\x01", to_bytes(key.n**2))
        masked = key.modulus.multiply(residues, key.modulus.to_residues(encrypted))
        fresh = key.modulus.from_residues(rerandomizer.rerandomize(masked))
        return fresh.astype("<u8", copy=False).tobytes()


def low_words(slots: Limbs) -> Limbs:
    """Return the numbers of slots modulo 2^64, uint64 of the same shape less the last axis."""
    return slots[..., 0]


def number(slot: Limbs) -> int:
    """Return the number of one slot, uint64 [words]."""
    return int.from_bytes(slot.astype("<u8", copy=False).tobytes(), "little")
