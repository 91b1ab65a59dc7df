"""Keys at work: what a party encrypts, what it opens, and masked sums over the other's ciphertexts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.algorithms.secret_shared.fourier import WAVE_BITS
from vfl.algorithms.secret_shared.slots import Slots, cover, number
from vfl.algorithms.secret_shared.weighted_sums import weighted_sums
from vfl.arrays import Bytes, Integers
from vfl.crypto.kernel import Limbs
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile, PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage

VALUE_OFFSET = 1 << (WAVE_BITS - 1)
"""Added to what a party encrypts for each row, so that it is never negative."""


@dataclass(frozen=True)
class Peer:
    """The other party as far as this one knows it: its key, and the size of its coordinates."""

    key: PublicKey
    width: int
    exponent: int


class Ciphers:
    """This party's key at work, and the other's.

    Args:
        rows: of the job.
    """

    def __init__(self, private_key: PrivateKey, profile: Profile, peer: Peer, rows: int) -> None:
        self.key, self.peer, self.rows = private_key.public_key, peer, rows
        self._encryptor, self._decryptor = Encryptor(private_key, profile), Decryptor(private_key)
        self._rerandomizer = Rerandomizer(peer.key)

    def encrypt(self, plain: Limbs) -> bytes:
        return self._encryptor.encrypt(plain).astype("<u8", copy=False).tobytes()

    def cover(self, residues: Limbs, masks: Bytes) -> bytes:
        """The other party's ciphertexts, masked and as good as new."""
        return cover(self.peer.key, self._rerandomizer, residues, masks)

    def residues(self, ciphertexts: bytes, count: int) -> Limbs:
        """Ciphertexts of the other party's key; raises MalformedMessage or BadCiphertext."""
        return check_ciphertexts(self.peer.key, _rows(ciphertexts, count, self.peer.key.limbs))

    def opened(self, ciphertexts: bytes, count: int, slots: Slots) -> Bytes:
        """Slots [count, slots, width] of ciphertexts of this party's key.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the other party was to send.
        """
        data = _rows(ciphertexts, count, self.key.limbs)
        if count:
            check_ciphertexts(self.key, data)
        return slots.unpack(self._decryptor.decrypt(data))


class MaskedSums:
    """Sums of the other party's rows by columns of weights, and this party's shares of them.

    A share of slot s is what `share` says; the other party's is what it decrypts, less the weights' offset
    times the sum of the numbers that it encrypted there.

    Args:
        slots: of the other party's plaintexts; weight_bits: of a weight, sign included.
    """

    def __init__(self, ciphers: Ciphers, slots: Slots, weight_bits: int) -> None:
        self._ciphers, self._bits, self._slots = ciphers, weight_bits, slots
        self._sums: list[Limbs] = []
        self._weights: list[int] = []

    def add(self, residues: Limbs, weights: Integers) -> None:
        """Take residues [n, limbs] of rows and their weights int64 [n, columns], signed."""
        shifted = weights + (1 << (self._bits - 1))
        modulus, total = self._ciphers.peer.key.modulus, shifted.sum(axis=0).tolist()
        sums = weighted_sums(modulus, residues, shifted, self._bits)
        self._sums = [modulus.multiply(before, sums) for before in self._sums] or [sums]
        self._weights = [a + b for a, b in zip(self._weights, total, strict=True)] if self._weights else total

    def masked(self) -> bytes:
        """The ciphertexts of the sums, each slot masked."""
        (sums,) = self._sums
        self._masks = self._slots.masks(len(sums))
        return self._ciphers.cover(sums, self._masks)

    def share(self, column: int, slot: int) -> int:
        """This party's share of a slot of a column's sum."""
        return -number(self._masks[column, slot]) - VALUE_OFFSET * self._weights[column]


def sum_slots(rows: int, value_bits: int, weight_bits: int, key_bits: int) -> Slots:
    """Slots of plaintexts whose rows are weighted and added up."""
    return Slots(value_bits + weight_bits + rows.bit_length(), key_bits)


def _rows(data: bytes, count: int, limbs: int) -> Limbs:
    if len(data) != 8 * limbs * count:
        raise MalformedMessage(f"{count} ciphertexts of {8 * limbs} bytes were due")
    return np.frombuffer(data, dtype="<u8").reshape(count, limbs)
