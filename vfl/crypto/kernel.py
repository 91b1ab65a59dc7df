"""Batch modular arithmetic: the one kernel under encryption, sums by group and decryption.

Numbers are rows of little-endian ``uint64`` limbs, ``[n, limbs]``, C-contiguous. The kernel is the
compiled one (AVX-512 IFMA, or portable 64-bit words, chosen at run time) or, where nothing could be
compiled or ``VFL_PURE_PYTHON=1`` says so, the reference on gmpy2: same classes, same results.
``VFL_KERNEL=portable`` keeps the compiled kernel off AVX-512.

:class:`Modulus` ``(modulus, path="auto")`` -- an odd modulus of at most 6144 bits, as little-endian
bytes; ``path`` is ``"auto"``, ``"portable"`` or ``"ifma"`` (for tests). ``limbs`` is its width in words.

======================================================  =================================================
``to_residues(values)``                                 plain ``[n, limbs]`` below the modulus to residue
                                                        form: opaque, of the same shape, usable only with
                                                        this modulus in this process
``from_residues(residues)``                             back to plain numbers
``reduce(values)``                                      plain ``[n, any width]`` to plain, mod the modulus
``multiply(a, b)``                                      row by row; ``b`` may be one row for all
``power(a, exponent)``                                  every row to one exponent, as little-endian bytes
``product(a)``                                          of all rows, ``[1, limbs]``
``sum_by_group(residues, rows, groups, n_groups)``      ``[n_groups, limbs]``: row g is the product of
                                                        ``residues[rows[i]]`` over i with ``groups[i] == g``
                                                        (``rows`` int64, ``groups`` int32); of nothing: 1
``pack(residues, slots, shift_bits)``                   ``out[j]`` is the product over k of
                                                        ``residues[j * slots + k] ** 2 ** (shift_bits * k)``;
                                                        the last row may have fewer slots
======================================================  =================================================

:class:`FixedBase` ``(modulus, base, exponent_bits, window=8)`` -- ``power(exponents)``: residues of one
base to many exponents, ``[n, ceil(exponent_bits / 64)]``, from a table of
``ceil(exponent_bits / window) * 2**window`` rows (Brickell, Gordon, McCurley and Wilson 1992).

``combine(a, x, b, y, modulus)`` is ``a * x + b * y`` mod ``modulus`` row by row on plain numbers, for sums
below twice the modulus; ``x``, ``y`` are bytes and ``b`` may be one row: the last step of a Chinese
remainder. ``divide_exact(values, divisor)`` divides plain rows by an odd divisor and refuses a remainder.

Every shape, index and range above is checked; a violation raises ``ValueError`` (``TypeError`` for a
wrong dtype). Results do not depend on the number of threads. The native kernel's sequence of operations
and branches depends on the sizes of secret numbers only, never on their values; table look-ups are not
masked, so a process sharing the CPU's caches could observe them. The reference makes no such promise.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from vfl.arrays import Limbs

if TYPE_CHECKING:
    from vfl.crypto import _native as _kernel
elif os.environ.get("VFL_PURE_PYTHON") == "1":
    from vfl.crypto import _reference as _kernel
else:
    try:
        from vfl.crypto import _native as _kernel
    except ImportError:
        from vfl.crypto import _reference as _kernel

Modulus = _kernel.Modulus
FixedBase = _kernel.FixedBase
combine = _kernel.combine
divide_exact = _kernel.divide_exact
kernel_name = _kernel.kernel_name
set_threads = _kernel.set_threads

__all__ = [
    "FixedBase",
    "Limbs",
    "Modulus",
    "combine",
    "divide_exact",
    "from_ints",
    "kernel_name",
    "processors",
    "set_threads",
    "to_bytes",
    "to_ints",
]


def to_bytes(number: int) -> bytes:
    """A non-negative integer as the shortest little-endian bytes."""
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def from_ints(numbers: list[int], limbs: int, *, signed: bool = False) -> Limbs:
    """Python integers as rows of ``limbs`` words, two's complement if ``signed``.

    Raises:
        OverflowError: a number does not fit.
    """
    data = b"".join(number.to_bytes(8 * limbs, "little", signed=signed) for number in numbers)
    return np.frombuffer(bytearray(data), dtype="<u8").astype(np.uint64, copy=False).reshape(-1, limbs)


def to_ints(rows: Limbs, *, signed: bool = False) -> list[int]:
    """Rows of words as Python integers: for tests, interchange and a handful of numbers at a time."""
    return [int.from_bytes(row.tobytes(), "little", signed=signed) for row in rows.astype("<u8", copy=False)]


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
