"""Paillier over batches: encryption and decryption by the key's owner.

Plaintexts are signed integers as two's complement rows of ``uint64`` limbs, ciphertexts are rows of
``PublicKey.limbs`` words, both little-endian. A ciphertext of m is ``(1 + m n) * r mod n^2`` with r a
secret random n-th residue, fresh in every ciphertext (Paillier 1999, with generator 1 + n).

Constant time: the randomness exponents, the plaintexts and the private exponents decide neither the
sequence of operations nor a branch of the native kernel, so that a reply's timing carries nothing about
them. Not covered: fixed-base table look-ups leave traces in shared CPU caches (do not run a label
party on a machine shared with strangers), key generation and set-up work use OpenSSL and gmpy2 as they
are, and the pure Python reference kernel is not constant-time at all.
"""

from __future__ import annotations

import threading
from typing import Literal

import gmpy2
import numpy as np

from vfl.crypto.kernel import FixedBase, Limbs, Modulus, combine, divide_exact, from_ints, to_bytes, to_ints
from vfl.crypto.keys import MAX_BITS, PrivateKey, PublicKey, generate, unsafe_generate
from vfl.crypto.randomness import STATISTICAL_BITS, random_rows, random_unit
from vfl.errors import BadCiphertext, ParameterError

__all__ = [
    "Decryptor",
    "Encryptor",
    "PrivateKey",
    "Profile",
    "PublicKey",
    "check_ciphertexts",
    "generate",
    "subtract",
    "unsafe_generate",
]

Profile = Literal["short", "full"]

# Rows encrypted at a time: bounds temporary memory to a few ciphertexts' worth of 16 MiB.
CHUNK_ROWS = 8192


def check_ciphertexts(public_key: PublicKey, ciphertexts: Limbs) -> Limbs:
    """Refuse what no encryption yields, and return the rest in residue form, ready to be summed.

    One greatest common divisor of the product of all rows tells whether every row is coprime with n.

    Args:
        ciphertexts: ``[n, public_key.limbs]``.
    Returns:
        residues mod n^2 (of ``public_key.modulus``), same shape.
    Raises:
        BadCiphertext: rows of a wrong width, a zero, a row not below n^2, or not coprime with n.
    """
    if ciphertexts.ndim != 2 or ciphertexts.shape[1] != public_key.limbs:
        raise BadCiphertext(f"a ciphertext of this key is {public_key.limbs} words wide")
    if not ciphertexts.any(axis=1).all():
        raise BadCiphertext("a ciphertext is zero")
    try:
        residues = public_key.modulus.to_residues(ciphertexts)
    except ValueError:
        raise BadCiphertext("a ciphertext is not below n^2") from None
    (product,) = to_ints(public_key.modulus.from_residues(public_key.modulus.product(residues)))
    if gmpy2.gcd(product, public_key.n) != 1:
        raise BadCiphertext("a ciphertext is not coprime with n")
    return residues


class _Half:
    """One prime's half of the Chinese remainder: arithmetic mod p^2, and the way back to mod n^2."""

    def __init__(self, p: int, q: int, sign: int = 1) -> None:
        self.square = p * p
        self.other_square = to_bytes(q * q)
        self.modulus = Modulus(to_bytes(self.square))
        lift = sign * pow(q * q, -1, self.square) % self.square
        self._lift = self.modulus.to_residues(from_ints([lift], self.modulus.limbs))

    def lifted(self, residues: Limbs) -> Limbs:
        """Plain rows a with ``a q^2 = sign * residues mod p^2``."""
        return self.modulus.from_residues(self.modulus.multiply(residues, self._lift))


class Encryptor:
    """Batch encryption by the owner of the key, mod p^2 and q^2 by fixed-base tables.

    Profiles of the randomness r, which hides the plaintext under decisional composite residuosity:

    * ``full``: r mod p^2 and r mod q^2 are powers of a random n-th residue to independent exponents
      64 bits longer than p - 1, within 2^-64 of uniform over the group each base generates. That is
      Paillier's own distribution but for the (small) index of the group of a random base, and no
      assumption beyond Paillier's: who tells these ciphertexts apart tells Paillier's, with an
      advantage smaller by at most the index.
    * ``short``: r = h_s^a with ``h = -x^2 mod n``, ``h_s = h^n mod n^2`` for a random secret x (Damgard,
      Jurik, Nielsen 2010) and a of 448 bits (512 from 3072-bit keys on): 4 times the security level, as
      Ma, Han and Wang 2021. Assumes besides that h^a for short a cannot be told from h^a for a as
      long as n (for a half as long as n that follows from factoring: Hastad, Schrift and Shamir 1993).
      The best attack known, Pollard's kangaroo, takes 2^224 steps for 448 bits and needs h, which is
      not published here; factoring n takes 2^112. Needs p = q = 3 mod 4.

    Raises:
        ParameterError: an unknown profile, or ``short`` with a key whose primes are not 3 mod 4.
    """

    def __init__(self, private_key: PrivateKey, profile: Profile = "short") -> None:
        self.public_key = private_key.public_key
        self.profile = profile
        p, q, n = private_key.p, private_key.q, self.public_key.n
        self._halves = (_Half(p, q), _Half(q, p))
        if profile == "full":
            base = random_unit(n)
            bits = tuple(prime.bit_length() + STATISTICAL_BITS for prime in (p, q))
        elif profile == "short":
            if not p % 4 == q % 4 == 3:
                raise ParameterError('this key\'s primes are not 3 mod 4: use profile "full" or a new key')
            base = -pow(random_unit(n), 2, n) % n
            bits = (512, 512) if self.public_key.bits >= MAX_BITS else (448, 448)
        else:
            raise ParameterError('profile is "short" or "full"')
        self._exponent_bits = bits
        self._prepared: list[Limbs] = []
        self._lock = threading.Lock()
        self._powers = tuple(
            FixedBase(half.modulus, to_bytes(int(gmpy2.powmod(base, n, half.square))), half_bits)
            for half, half_bits in zip(self._halves, bits, strict=True)
        )

    def encrypt(self, plain: Limbs) -> Limbs:
        """Encrypt signed integers.

        Args:
            plain: ``[rows, k]``, two's complement, k at least 1 and less than ``public_key.plain_limbs``.
        Returns:
            ciphertexts ``[rows, public_key.limbs]``.
        Raises:
            ParameterError: k is out of range.
        """
        if plain.ndim != 2 or not 1 <= plain.shape[1] < self.public_key.plain_limbs:
            raise ParameterError(f"a plaintext row is 1 to {self.public_key.plain_limbs - 1} words wide")
        ciphertexts = np.empty((len(plain), self.public_key.limbs), dtype=np.uint64)
        for first in range(0, len(plain), CHUNK_ROWS):
            chunk = slice(first, first + CHUNK_ROWS)
            ciphertexts[chunk] = self._encrypt(plain[chunk])
        return ciphertexts

    def prepare(self, rows: int) -> None:
        """Make the randomness of the next ``rows`` encryptions now; thread-safe.

        Each is used once and then forgotten. One takes as much memory as a ciphertext.
        """
        for first in range(0, rows, CHUNK_ROWS):
            noise = self._noise(min(CHUNK_ROWS, rows - first))
            with self._lock:
                self._prepared.append(noise)

    @property
    def prepared(self) -> int:
        """How many encryptions have their randomness made."""
        with self._lock:
            return sum(map(len, self._prepared))

    def _fresh_noise(self, rows: int) -> Limbs:
        """Prepared randomness as far as it lasts, and new."""
        blocks: list[Limbs] = []
        with self._lock:
            while rows and self._prepared:
                block = self._prepared.pop()
                blocks.append(block[:rows])
                if len(block) > rows:
                    self._prepared.append(block[rows:])
                rows -= len(blocks[-1])
        return np.concatenate([*blocks, self._noise(rows)]) if blocks else self._noise(rows)

    def _encrypt(self, plain: Limbs) -> Limbs:
        modulus = self.public_key.modulus
        noise = modulus.to_residues(self._fresh_noise(len(plain)))
        return modulus.from_residues(modulus.multiply(noise, modulus.to_residues(self._one_plus_mn(plain))))

    def _noise(self, rows: int) -> Limbs:
        """Fresh random n-th residues mod n^2, plain."""
        exponents = random_rows(rows, self._exponent_bits[0])
        (p_half, q_half), (p_powers, q_powers) = self._halves, self._powers
        a = p_half.lifted(p_powers.power(exponents))
        if self.profile == "full":
            exponents = random_rows(rows, self._exponent_bits[1])
        b = q_half.lifted(q_powers.power(exponents))
        return combine(a, p_half.other_square, b, q_half.other_square, to_bytes(self.public_key.n**2))

    def _one_plus_mn(self, plain: Limbs) -> Limbs:
        """``1 + m n mod n^2``: with its top bit flipped, m is the non-negative ``m + 2^(64 k - 1)``."""
        n, width = self.public_key.n, 64 * plain.shape[1]
        shifted = plain.copy()
        shifted[:, -1] ^= np.uint64(1 << 63)
        constant = from_ints([(1 - n * 2 ** (width - 1)) % n**2], self.public_key.limbs)
        return combine(shifted, to_bytes(n), constant, b"\x01", to_bytes(n**2))


class Decryptor:
    """Batch decryption by the owner of the key, mod p^2 and q^2 (Paillier 1999, section 7).

    ``c^(p-1) = 1 + m n (p-1) = 1 - m n mod p^2``, and likewise mod q^2: both halves recombine, negated,
    to ``m n - 1 mod n^2``, and one exact division by n is left. No private value but p - 1 and q - 1
    is an exponent.
    """

    def __init__(self, private_key: PrivateKey) -> None:
        self.public_key = private_key.public_key
        p, q, n = private_key.p, private_key.q, self.public_key.n
        self._halves = ((_Half(p, q, -1), to_bytes(p - 1)), (_Half(q, p, -1), to_bytes(q - 1)))
        self._middle = from_ints([n // 2], self.public_key.plain_limbs)
        self._one_plus_middle_n = from_ints([1 + n // 2 * n], self.public_key.limbs)

    def decrypt(self, ciphertexts: Limbs) -> Limbs:
        """Decrypt to signed integers.

        Args:
            ciphertexts: ``[rows, public_key.limbs]``.
        Returns:
            ``[rows, public_key.plain_limbs]``, two's complement, from -n/2 to n/2.
        Raises:
            BadCiphertext: a row has a wrong width or is no encryption under this key.
        """
        key = self.public_key
        if ciphertexts.ndim != 2 or ciphertexts.shape[1] != key.limbs:
            raise BadCiphertext(f"a ciphertext of this key is {key.limbs} words wide")
        (p_half, p_exponent), (q_half, q_exponent) = self._halves
        a, b = self._power(p_half, ciphertexts, p_exponent), self._power(q_half, ciphertexts, q_exponent)
        n_squared = to_bytes(key.n**2)
        mn_less_one = combine(a, p_half.other_square, b, q_half.other_square, n_squared)
        shifted = combine(mn_less_one, b"\x01", self._one_plus_middle_n, b"\x01", n_squared)
        try:
            quotients = divide_exact(shifted, to_bytes(key.n))
        except ValueError:
            raise BadCiphertext("a ciphertext is no encryption under this key") from None
        return subtract(quotients[:, : key.plain_limbs], self._middle)

    @staticmethod
    def _power(half: _Half, ciphertexts: Limbs, exponent: bytes) -> Limbs:
        residues = half.modulus.to_residues(half.modulus.reduce(ciphertexts))
        return half.lifted(half.modulus.power(residues, exponent))


def subtract(a: Limbs, b: Limbs) -> Limbs:
    """``a - b`` row by row, two's complement; ``b`` may be one row."""
    difference = np.empty(a.shape, dtype=np.uint64)
    borrow: Limbs = np.zeros(len(a), dtype=np.uint64)
    for limb in range(a.shape[1]):
        partial = a[:, limb] - b[:, limb]
        difference[:, limb] = partial - borrow
        borrow = ((a[:, limb] < b[:, limb]) | (partial < borrow)).astype(np.uint64)
    return difference
