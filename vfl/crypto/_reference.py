"""The kernel on gmpy2: slow, obvious, the judge of the native one and its stand-in.

Same classes and functions as ``_native``; :mod:`vfl.crypto.kernel` documents them. Residue form is the
plain value here. gmpy2's arithmetic is not constant-time.
"""

from __future__ import annotations

import gmpy2
import numpy as np
import numpy.typing as npt

from vfl.arrays import Limbs

MAX_BITS = 6144


def kernel_name() -> str:
    return "reference"


def set_threads(count: int) -> None:
    """Accept a thread count; Python integers are multiplied by one thread whatever it says."""
    if not 1 <= count <= 1024:
        raise ValueError("the number of threads must be 1..1024")


def _read(rows: Limbs, limbs: int | None = None) -> list[gmpy2.mpz]:
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint64:
        raise TypeError("expected a uint64 array")
    if rows.ndim != 2 or (limbs is not None and rows.shape[1] != limbs):
        raise ValueError("expected a two-dimensional uint64 array with one row of limbs a number")
    return [gmpy2.mpz.from_bytes(row.tobytes(), "little") for row in rows.astype("<u8", copy=False)]


def _write(numbers: list[gmpy2.mpz], limbs: int) -> Limbs:
    data = b"".join(number.to_bytes(8 * limbs, "little") for number in numbers)
    return np.frombuffer(bytearray(data), dtype="<u8").astype(np.uint64, copy=False).reshape(-1, limbs)


def _odd(modulus: bytes) -> gmpy2.mpz:
    value = gmpy2.mpz.from_bytes(modulus, "little")
    if value < 3 or value % 2 == 0:
        raise ValueError("the modulus must be odd and at least 3")
    if value.bit_length() > MAX_BITS:
        raise ValueError("the modulus must have at most 6144 bits")
    return value


class Modulus:
    def __init__(self, modulus: bytes, path: str = "auto") -> None:
        self._modulus = _odd(modulus)
        self.limbs = -(-self._modulus.bit_length() // 64)

    def to_residues(self, values: Limbs) -> Limbs:
        numbers = _read(values, self.limbs)
        if any(number >= self._modulus for number in numbers):
            raise ValueError("every value must be below the modulus")
        return values.copy()

    def from_residues(self, residues: Limbs) -> Limbs:
        return _write(_read(residues, self.limbs), self.limbs)

    def reduce(self, values: Limbs) -> Limbs:
        return _write([number % self._modulus for number in _read(values)], self.limbs)

    def multiply(self, a: Limbs, b: Limbs) -> Limbs:
        x, y = _read(a, self.limbs), _read(b, self.limbs)
        if len(y) not in {1, len(x)}:
            raise ValueError("b must have as many rows as a, or one")
        if len(y) == 1:
            y = y * len(x)
        return _write([p * q % self._modulus for p, q in zip(x, y, strict=True)], self.limbs)

    def power(self, a: Limbs, exponent: bytes) -> Limbs:
        e = gmpy2.mpz.from_bytes(exponent, "little")
        return _write([gmpy2.powmod(x, e, self._modulus) for x in _read(a, self.limbs)], self.limbs)

    def product(self, a: Limbs) -> Limbs:
        rows = np.arange(len(a), dtype=np.int64)
        return self.sum_by_group(a, rows, np.zeros(len(a), dtype=np.int32), 1)

    def sum_by_group(
        self, residues: Limbs, rows: npt.NDArray[np.int64], groups: npt.NDArray[np.int32], n_groups: int
    ) -> Limbs:
        numbers = _read(residues, self.limbs)
        if rows.ndim != 1 or rows.shape != groups.shape:
            raise ValueError("rows and groups must be one-dimensional and of equal length")
        if not 0 <= n_groups < 2**31:
            raise ValueError("n_groups must be between 0 and 2^31 - 1")
        if len(rows) and not (
            0 <= rows.min() <= rows.max() < len(numbers) and 0 <= groups.min() <= groups.max() < n_groups
        ):
            raise ValueError("rows and groups must be indices of residues and of groups")
        sums = [gmpy2.mpz(1)] * n_groups
        for row, group in zip(rows.tolist(), groups.tolist(), strict=True):
            sums[group] = sums[group] * numbers[row] % self._modulus
        return _write(sums, self.limbs)

    def pack(self, residues: Limbs, slots: int, shift_bits: int) -> Limbs:
        if not (1 <= slots <= 65536 and 0 <= shift_bits <= 65536):
            raise ValueError("slots must be 1..65536 and shift_bits 0..65536")
        numbers = _read(residues, self.limbs)
        shift = gmpy2.mpz(1) << shift_bits
        packed = []
        for first in range(0, len(numbers), slots):
            value = gmpy2.mpz(1)
            for number in reversed(numbers[first : first + slots]):
                value = gmpy2.powmod(value, shift, self._modulus) * number % self._modulus
            packed.append(value)
        return _write(packed, self.limbs)


class FixedBase:
    def __init__(self, modulus: Modulus, base: bytes, exponent_bits: int, window: int = 8) -> None:
        if not 1 <= exponent_bits <= 2 * MAX_BITS:
            raise ValueError("exponent_bits must be 1..12288")
        if not 1 <= window <= 12:
            raise ValueError("window must be 1..12")
        self._modulus = modulus
        self._bits = exponent_bits
        self._base = gmpy2.mpz.from_bytes(base, "little")

    def power(self, exponents: Limbs) -> Limbs:
        numbers = _read(exponents, -(-self._bits // 64))
        if any(number.bit_length() > self._bits for number in numbers):
            raise ValueError("an exponent is longer than exponent_bits")
        modulus = self._modulus._modulus
        return _write([gmpy2.powmod(self._base, e, modulus) for e in numbers], self._modulus.limbs)


def combine(a: Limbs, x: bytes, b: Limbs, y: bytes, modulus: bytes) -> Limbs:
    m = _odd(modulus)
    p, q = gmpy2.mpz.from_bytes(x, "little"), gmpy2.mpz.from_bytes(y, "little")
    left, right = _read(a), _read(b)
    if len(right) not in {1, len(left)}:
        raise ValueError("b must have as many rows as a, or one")
    if len(right) == 1:
        right = right * len(left)
    sums = [i * p + j * q for i, j in zip(left, right, strict=True)]
    if any(total >= 2 * m for total in sums):
        raise ValueError("a * x + b * y must be below twice the modulus")
    return _write([total - m if total >= m else total for total in sums], -(-m.bit_length() // 64))


def divide_exact(values: Limbs, divisor: bytes) -> Limbs:
    d = _odd(divisor)
    limbs = values.shape[1] + 1 - -(-d.bit_length() // 64)
    if limbs < 1:
        raise ValueError("values must be at least as wide as the divisor")
    numbers = _read(values)
    if any(number % d for number in numbers):
        raise ValueError("a value is not a multiple of the divisor")
    return _write([number // d for number in numbers], limbs)
