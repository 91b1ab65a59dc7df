"""Paillier keys: two types, so that neither can be taken for the other, and no short ones by accident."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property

import gmpy2
from cryptography.hazmat.primitives.asymmetric import rsa

from vfl.crypto.kernel import Modulus, to_bytes
from vfl.errors import OutOfRange, ParameterError

MIN_BITS = 2048  # NIST SP 800-57: 112-bit security
MAX_BITS = 3072  # 128-bit security
UNSAFE_MIN_BITS = 256  # what tests may use; broken in minutes


def _check_modulus(n: int, min_bits: int) -> None:
    if not min_bits <= n.bit_length() <= MAX_BITS:
        raise ParameterError(f"a Paillier key has {min_bits} to {MAX_BITS} bits, not {n.bit_length()}")
    if n % 2 == 0 or gmpy2.is_power(n) or gmpy2.is_prime(n):
        raise ParameterError("a Paillier modulus is the product of two different odd primes")


@dataclass(frozen=True)
class PublicKey:
    """The modulus n, 2048 to 3072 bits.

    Raises:
        ParameterError: n is too short, too long, even, a prime or a perfect power.
    """

    n: int

    def __post_init__(self) -> None:
        _check_modulus(self.n, MIN_BITS)

    @classmethod
    def unsafe_short(cls, n: int) -> PublicKey:
        """A key shorter than any that protects data, for tests."""
        _check_modulus(n, UNSAFE_MIN_BITS)
        key = object.__new__(cls)
        object.__setattr__(key, "n", n)
        return key

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """A key as a peer sent it: little-endian n without padding.

        Raises:
            OutOfRange: the bytes are no acceptable key.
        """
        if len(data) > MAX_BITS // 8 or not data or data[-1] == 0:
            raise OutOfRange(f"a public key is at most {MAX_BITS // 8} bytes, without padding")
        try:
            return cls(int.from_bytes(data, "little"))
        except ParameterError as error:
            raise OutOfRange(str(error)) from None

    def to_bytes(self) -> bytes:
        return to_bytes(self.n)

    @property
    def bits(self) -> int:
        return self.n.bit_length()

    @property
    def n_bytes(self) -> int:
        """Bytes of n."""
        return (self.bits + 7) // 8

    @property
    def plain_limbs(self) -> int:
        """Words of a decrypted row, as wide as n."""
        return (self.bits + 63) // 64

    @property
    def limbs(self) -> int:
        """Words of a ciphertext, as wide as n^2."""
        return self.modulus.limbs

    @cached_property
    def modulus(self) -> Modulus:
        """Arithmetic mod n^2: the one that residues of this key's ciphertexts belong to."""
        return Modulus(to_bytes(self.n**2))


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """The primes p and q of n. Nothing about them is ever printed.

    Raises:
        ParameterError: p and q are not two different primes of equal length, or n is out of range.
    """

    p: int
    q: int

    def __post_init__(self) -> None:
        self._check(MIN_BITS)

    def _check(self, min_bits: int) -> None:
        if self.p == self.q or self.p.bit_length() != self.q.bit_length():
            raise ParameterError("a Paillier private key is two different primes of equal length")
        _check_modulus(self.p * self.q, min_bits)
        if not (gmpy2.is_prime(self.p, 40) and gmpy2.is_prime(self.q, 40)):
            raise ParameterError("a Paillier private key is two different primes of equal length")

    @classmethod
    def unsafe_short(cls, p: int, q: int) -> PrivateKey:
        """A key shorter than any that protects data, for tests."""
        key = object.__new__(cls)
        object.__setattr__(key, "p", p)
        object.__setattr__(key, "q", q)
        key._check(UNSAFE_MIN_BITS)
        return key

    def derived(self, purpose: bytes) -> bytes:
        """32 secret bytes, the same each time, which tell nothing of the key (HMAC-SHA256, RFC 2104)."""
        return hmac.digest(to_bytes(self.p) + to_bytes(self.q), b"vfl " + purpose, "sha256")

    def __repr__(self) -> str:
        return f"<PrivateKey of {(self.p * self.q).bit_length()} bits>"

    @cached_property
    def public_key(self) -> PublicKey:
        n = self.p * self.q
        return PublicKey(n) if n.bit_length() >= MIN_BITS else PublicKey.unsafe_short(n)


def generate(bits: int = 2048) -> PrivateKey:
    """A new key; its primes come from OpenSSL's RSA key generation and are 3 mod 4.

    Raises:
        ParameterError: ``bits`` is not a multiple of 256 from 2048 to 3072.
    """
    if not MIN_BITS <= bits <= MAX_BITS or bits % 256:
        raise ParameterError(f"a key has {MIN_BITS} to {MAX_BITS} bits, a multiple of 256")
    while True:
        numbers = rsa.generate_private_key(public_exponent=65537, key_size=bits).private_numbers()
        if numbers.p % 4 == numbers.q % 4 == 3:
            return PrivateKey(numbers.p, numbers.q)


def unsafe_generate(bits: int) -> PrivateKey:
    """A key of any even length from 256 bits, for tests only."""

    def prime() -> int:
        top = 3 << (bits // 2 - 2)  # both top bits set, so that the product has exactly `bits` bits
        while True:
            candidate = secrets.randbits(bits // 2) | top | 3
            if gmpy2.is_prime(candidate, 40):
                return candidate

    p, q = prime(), prime()
    return PrivateKey.unsafe_short(p, q) if p != q else unsafe_generate(bits)
