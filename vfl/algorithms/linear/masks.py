"""Masks on sums that the label party decrypts for a feature party without learning them."""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

from vfl.crypto.kernel import Limbs, from_ints, to_ints
from vfl.crypto.paillier import PublicKey
from vfl.errors import MalformedMessage, OutOfRange

Words = npt.NDArray[np.uint64]


class Masks:
    """Fresh masks for a number of ciphertexts, to be used once.

    Each is drawn evenly from 0 to n - 1 and added modulo n, so what is decrypted is evenly distributed
    whatever the sum: it holds nothing of it, however much the label party can compute. The ciphertexts
    need fresh randomness besides.
    """

    def __init__(self, public_key: PublicKey, count: int) -> None:
        self._key = public_key
        self._masks = [secrets.randbelow(public_key.n) for _ in range(count)]

    def put_on(self, residues: Limbs) -> Limbs:
        """Residues [count, limbs] of the masked sums' ciphertexts."""
        if not self._masks:
            return residues
        key, modulus = self._key, self._key.modulus
        encrypted = from_ints([(1 + mask * key.n) % key.n**2 for mask in self._masks], key.limbs)
        return modulus.multiply(residues, modulus.to_residues(encrypted))

    def take_off(self, decrypted: bytes) -> list[int]:
        """Sums from what their masked ciphertexts decrypt to, as signed numbers modulo n.

        Raises:
            MalformedMessage: another number of plaintexts than of masks.
            OutOfRange: a plaintext is no number modulo n.
        """
        n, limbs = self._key.n, self._key.plain_limbs
        if len(decrypted) != 8 * limbs * len(self._masks):
            raise MalformedMessage(f"{len(self._masks)} decrypted sums of {8 * limbs} bytes were due")
        plaintexts = to_ints(np.frombuffer(decrypted, dtype="<u8").reshape(-1, limbs), signed=True)
        if any(abs(plaintext) > n // 2 for plaintext in plaintexts):
            raise OutOfRange("a decrypted sum is no number modulo n")
        sums = [(plaintext - mask) % n for plaintext, mask in zip(plaintexts, self._masks, strict=True)]
        return [total - n if total > n // 2 else total for total in sums]
