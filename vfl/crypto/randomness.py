"""Secret random numbers, and fresh randomness for ciphertexts by who holds no private key.

Everything here comes from the operating system's generator.
"""

from __future__ import annotations

import secrets

import gmpy2
import numpy as np

from vfl.crypto.kernel import FixedBase, Limbs, from_ints, to_bytes, to_ints
from vfl.crypto.keys import PublicKey

STATISTICAL_BITS = 64
"""Extra exponent bits that bring g^a within 2^-64 of uniform over the group that g generates."""


def random_rows(n: int, bits: int) -> Limbs:
    """``n`` uniform exponents of ``bits`` bits from the operating system's generator."""
    words = -(-bits // 64)
    rows = np.frombuffer(bytearray(secrets.token_bytes(8 * words * n)), dtype="<u8").reshape(n, words)
    rows[:, -1] >>= np.uint64(64 * words - bits)
    return rows.astype(np.uint64, copy=False)


def random_unit(n: int) -> int:
    """A uniform number below n that is coprime with it."""
    while True:
        x = secrets.randbelow(n)
        if gmpy2.gcd(x, n) == 1:
            return x


class Rerandomizer:
    """Fresh randomness for ciphertexts that a party computed without the private key.

    The label party drew the randomness of every row, so from a bare product of row ciphertexts it could
    test which rows a sum covers. Multiplying by a fresh random n-th residue removes that. The residue is
    made of secrets drawn here once (nobody else's base is trusted): ``base^a`` times the product of a
    random subset of 128 others, all of the form r^n, with a and the subset fresh in each ciphertext.

    The label party knows p and q, so nothing that rests on factoring protects against it; with short
    exponents the protection would be a discrete logarithm modulo 1024-bit primes. Here it is statistical:
    a is 64 bits longer than n, so base^a is within 2^-64 of uniform over the group of the base, and the
    subset spreads that over its cosets (leftover hash lemma), of which there are at least two, since
    n-th residues form no cyclic group, and hardly ever more than 2^16: together within 2^-55 of a
    uniform n-th residue, whatever the label party can compute. The sums themselves it learns, as meant.
    """

    WINDOW = 6  # bits: 352 multiplications a ciphertext, and a table of 12 MB at 2048 bits
    COSET_BASES = 128

    def __init__(self, public_key: PublicKey) -> None:
        n = public_key.n
        self._modulus = public_key.modulus
        self._bits = public_key.bits + STATISTICAL_BITS
        units = from_ints([random_unit(n) for _ in range(1 + self.COSET_BASES)], public_key.limbs)
        bases = self._modulus.power(self._modulus.to_residues(units), to_bytes(n))
        self._coset_bases = bases[1:]
        (base,) = to_ints(self._modulus.from_residues(bases[:1]))
        self._powers = FixedBase(self._modulus, to_bytes(base), self._bits, self.WINDOW)

    def rerandomize(self, residues: Limbs) -> Limbs:
        """Residues of ciphertexts to residues of ciphertexts of the same plaintexts, ``[n, limbs]``."""
        count = len(residues)
        noise = self._powers.power(random_rows(count, self._bits))
        subsets = np.unpackbits(random_rows(count, self.COSET_BASES).view(np.uint8), axis=1)
        groups, rows = np.nonzero(subsets)
        cosets = self._modulus.sum_by_group(self._coset_bases, rows, groups.astype(np.int32), count)
        return self._modulus.multiply(self._modulus.multiply(residues, noise), cosets)
