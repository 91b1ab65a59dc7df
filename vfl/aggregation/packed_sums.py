"""Sums of two numbers a row, many in one ciphertext: the feature party packs, the label party opens."""

from __future__ import annotations

from vfl.aggregation.ciphertext_stream import ciphertexts_in
from vfl.arrays import Float64, Limbs
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage
from vfl.trace import span


class SumPacker:
    """Packs encrypted sums for the reply, and re-randomises the ciphertexts.

    Args:
        public_key: of the ciphertexts.
        packing: how two numbers share a plaintext.
    """

    def __init__(self, public_key: PublicKey, packing: GradientPacking) -> None:
        self._key, self._packing = public_key, packing
        self._rerandomizer = Rerandomizer(public_key)

    def pack(self, sums: Limbs, count: int) -> bytes:
        """Return the ciphertexts of sums.

        Args:
            sums: residues [n, limbs].
            count: rows that a sum covers, at most.
        """
        slots = self._packing.slots_per_ciphertext(count, self._key.bits)
        with span("pack"):
            packed = self._key.modulus.pack(sums, slots, self._packing.slot_bits(count))
        with span("re-randomise"):
            fresh = self._key.modulus.from_residues(self._rerandomizer.rerandomize(packed))
        return fresh.astype("<u8", copy=False).tobytes()


class SumOpener:
    """Decrypts packed sums at the label party.

    Args:
        public_key, decryptor: the label party's.
        packing: how two numbers share a plaintext.
    """

    def __init__(self, public_key: PublicKey, decryptor: Decryptor, packing: GradientPacking) -> None:
        self._key, self._decryptor, self._packing = public_key, decryptor, packing

    def open(self, peer: str, data: bytes, n_sums: int, count: int) -> tuple[Float64, Float64]:
        """Return both numbers of every sum, each float64 [n_sums], exact, in units of fixed point.

        Args:
            peer: who sent them.
            data: their ciphertexts.
            n_sums: how many were asked for.
            count: rows that a sum covers, at most.

        Raises:
            MalformedMessage: another number of ciphertexts than these sums need.
            BadCiphertext, OutOfRange: what came are no sums of so many rows.
        """
        slots = self._packing.slots_per_ciphertext(count, self._key.bits)
        ciphertexts = ciphertexts_in(data, self._key)
        if len(ciphertexts) != -(-n_sums // slots):
            raise MalformedMessage(f"{peer} sent another number of sums than it has bins")
        with span("decrypt"):
            check_ciphertexts(self._key, ciphertexts)
            plain = self._decryptor.decrypt(ciphertexts)
        with span("unpack"):
            return self._packing.unpack(plain, slots, self._packing.slot_bits(count), n_sums, count)
