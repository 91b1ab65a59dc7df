"""Both parties' keys as one party has them: it encrypts, opens, and masks sums of the other's ciphertexts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.aggregation.ciphertext_stream import ciphertexts_in
from vfl.algorithms.secret_shared.fourier import TERM_BITS
from vfl.algorithms.secret_shared.slots import Slots, number
from vfl.algorithms.secret_shared.weighted_sums import weighted_sums
from vfl.arrays import Integers
from vfl.crypto.kernel import Limbs, from_ints
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile, PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage

VALUE_OFFSET = 1 << (TERM_BITS - 1)
"""Added to what a party encrypts for each row, so that it is never negative."""


@dataclass(frozen=True)
class Peer:
    """What a party knows of the other: its key, and the size of its coordinates."""

    key: PublicKey
    width: int
    exponent: int


class Ciphers:
    """This party's private key and the other's public key.

    Args:
        private_key, profile: this party's.
        peer: the other party.
        rows: of the job.
    """

    def __init__(self, private_key: PrivateKey, profile: Profile, peer: Peer, rows: int) -> None:
        self.key, self.peer, self.rows = private_key.public_key, peer, rows
        self._encryptor, self._decryptor = Encryptor(private_key, profile), Decryptor(private_key)
        self._rerandomizer = Rerandomizer(peer.key)

    def encrypt(self, plain: Limbs) -> Limbs:
        """Return ciphertexts [n, limbs] of plaintexts under this party's key."""
        return self._encryptor.encrypt(plain)

    def cover(self, residues: Limbs, slots: Slots, masks: Limbs) -> bytes:
        """Return the other party's ciphertexts, masked and with fresh randomness."""
        return slots.cover(self.peer.key, self._rerandomizer, residues, masks)

    def residues(self, ciphertexts: bytes, count: int) -> Limbs:
        """Return ciphertexts of the other party's key; raises MalformedMessage or BadCiphertext."""
        return check_ciphertexts(self.peer.key, _counted(ciphertexts, count, self.peer.key))

    def opened(self, ciphertexts: bytes, count: int, slots: Slots) -> Limbs:
        """Return slots [count, slots, words] of ciphertexts of this party's key.

        Raises:
            MalformedMessage, BadCiphertext, OutOfRange: not what the other party was to send.
        """
        data = _counted(ciphertexts, count, self.key)
        if count:
            check_ciphertexts(self.key, data)
        return slots.unpack(self._decryptor.decrypt(data))


class SumShares:
    """One party's shares of sums that it masked.

    Args:
        masks: uint64 [columns, slots, words].
        weights: for each column the sum of its weights, none of them negative.
    """

    def __init__(self, masks: Limbs, weights: list[int]) -> None:
        self._masks, self._weights = masks, weights

    def share(self, column: int, slot: int) -> int:
        """Return this party's share of a slot of a column's sum.

        The other's is what it decrypts, less the weights' offset times the sum of what it encrypted there.
        """
        return -number(self._masks[column, slot]) - VALUE_OFFSET * self._weights[column]


class MaskedSums:
    """Sums of the other party's rows by columns of weights.

    Args:
        ciphers: of this party.
        slots: of the other party's plaintexts.
        weight_bits: of a weight, sign included.
        columns: of weights.
    """

    def __init__(self, ciphers: Ciphers, slots: Slots, weight_bits: int, columns: int) -> None:
        self._ciphers, self._slots, self._bits = ciphers, slots, weight_bits
        modulus = ciphers.peer.key.modulus
        self._sums = modulus.to_residues(from_ints([1] * columns, modulus.limbs))
        self._weights = [0] * columns

    def add(self, residues: Limbs, weights: Integers) -> None:
        """Add residues [n, limbs] of rows with their weights int64 [n, columns], signed."""
        shifted = weights + (1 << (self._bits - 1))
        modulus = self._ciphers.peer.key.modulus
        self._sums = modulus.multiply(self._sums, weighted_sums(modulus, residues, shifted, self._bits))
        self._weights = [a + b for a, b in zip(self._weights, shifted.sum(axis=0).tolist(), strict=True)]

    def masked(self) -> tuple[bytes, SumShares]:
        """Return the ciphertexts of the sums with a mask on each slot, and this party's shares."""
        masks = self._slots.masks(len(self._sums))
        return self._ciphers.cover(self._sums, self._slots, masks), SumShares(masks, self._weights)


def sum_slots(rows: int, value_bits: int, weight_bits: int, key_bits: int) -> Slots:
    """Return slots of plaintexts whose rows are weighted and added up."""
    return Slots(value_bits + weight_bits + rows.bit_length(), key_bits)


def to_wire(ciphertexts: Limbs) -> bytes:
    """Return ciphertexts as messages carry them."""
    return ciphertexts.astype("<u8", copy=False).tobytes()


def _counted(data: bytes, count: int, key: PublicKey) -> Limbs:
    if len(data) != 8 * key.limbs * count:
        raise MalformedMessage(f"{count} ciphertexts of {8 * key.limbs} bytes were due")
    return np.ascontiguousarray(ciphertexts_in(data, key))
