"""Numbers side by side in one plaintext, in slots of whole bytes, each under a mask of its own.

A slot holds a number that is never negative plus a mask that is ``STATISTICAL_BITS`` bits longer: whatever
the number is, the sum looks the same but with a chance of ``2^-STATISTICAL_BITS``. The masked number stays in
its slot, so who decrypts it and who drew the mask hold whole-number shares of it.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

from vfl.arrays import Bytes, Integers
from vfl.crypto.kernel import Limbs, combine, from_ints, to_bytes
from vfl.crypto.keys import PublicKey
from vfl.crypto.randomness import STATISTICAL_BITS, Rerandomizer
from vfl.errors import OutOfRange

PACKED_BITS = 32
"""Of a number of a row."""


class Slots:
    """How numbers share a plaintext of a key.

    Args:
        largest_bits: no number is ``2^largest_bits`` or more.
        key_bits: of the key; the slots take at most two bits less.
    """

    def __init__(self, largest_bits: int, key_bits: int) -> None:
        self.width = -(-(largest_bits + STATISTICAL_BITS + 1) // 8)
        self.per_plaintext = (key_bits - 2) // (8 * self.width)

    @property
    def bits(self) -> int:
        return 8 * self.width

    def pack(self, values: Integers) -> Limbs:
        """Numbers int64 [n, slots] from 0 to ``2^PACKED_BITS - 1`` as plaintexts [n, words]."""
        n, slots = values.shape
        data = np.zeros((n, slots, self.width), dtype=np.uint8)
        data[:, :, : PACKED_BITS // 8] = values.astype("<u4")[:, :, None].view(np.uint8)
        # The last slot is not full: a plaintext that is encrypted has a word less than one that is opened.
        return _words(data.reshape(n, -1)[:, : (slots - 1) * self.width + PACKED_BITS // 8])

    def masks(self, count: int) -> Bytes:
        """Masks for all slots of plaintexts, bytes [count, per_plaintext, width]: even below half a slot."""
        size = count * self.per_plaintext * self.width
        drawn = np.frombuffer(bytearray(secrets.token_bytes(size)), dtype=np.uint8)
        drawn = drawn.reshape(count, self.per_plaintext, self.width)
        drawn[:, :, -1] &= 0x7F
        return drawn

    def unpack(self, plaintexts: Limbs) -> Bytes:
        """Slots of decrypted plaintexts, bytes [n, per_plaintext, width].

        Raises:
            OutOfRange: a plaintext is negative or longer than its slots.
        """
        data = plaintexts.astype("<u8").view(np.uint8)
        used = self.per_plaintext * self.width
        if data[:, used:].any():
            raise OutOfRange("a decrypted plaintext holds more than its slots")
        return data[:, :used].reshape(len(data), self.per_plaintext, self.width)


def low_words(slots: Bytes) -> npt.NDArray[np.uint64]:
    """Numbers of slots modulo 2^64, uint64 of the same shape less the last axis."""
    low = np.zeros((*slots.shape[:-1], 8), dtype=np.uint8)
    kept = min(8, slots.shape[-1])
    low[..., :kept] = slots[..., :kept]
    return low.view("<u8")[..., 0].astype(np.uint64)


def number(slot: Bytes) -> int:
    """The number of one slot, bytes [width]."""
    return int.from_bytes(slot.tobytes(), "little")


def cover(key: PublicKey, rerandomizer: Rerandomizer, residues: Limbs, masks: Bytes) -> bytes:
    """Ciphertexts of what residues [n, limbs] hold plus masks [n, slots, width], with fresh randomness."""
    one = from_ints([1], key.limbs)
    encrypted = combine(
        _words(masks.reshape(len(masks), -1)), to_bytes(key.n), one, b"\x01", to_bytes(key.n**2)
    )
    masked = key.modulus.multiply(residues, key.modulus.to_residues(encrypted))
    fresh = key.modulus.from_residues(rerandomizer.rerandomize(masked))
    return fresh.astype("<u8", copy=False).tobytes()


def _words(data: Bytes) -> Limbs:
    """Bytes [n, any] as rows of words, with a top bit of 0."""
    n, used = data.shape
    padded = np.zeros((n, 8 * (used // 8 + 1)), dtype=np.uint8)
    padded[:, :used] = data
    return padded.view("<u8").astype(np.uint64)
