"""How fast this machine works, and how much real columns share: input of `vfl.algorithms.trees.cost_model`.

Takes a few tenths of a second with the compiled kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import gmpy2
import numpy as np
import numpy.typing as npt

from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.cost_model import Machine
from vfl.algorithms.trees.multiplications import levels
from vfl.arrays import Float32
from vfl.crypto.kernel import Limbs, Modulus, kernel_name, processors, to_bytes
from vfl.crypto.paillier import Encryptor, PrivateKey, Profile, check_ciphertexts

ROWS = 4096  # as many as are encrypted at a time
REFERENCE_ROWS = 64  # enough for the reference kernel, which is as fast on few
BUDGET_SECONDS = 0.1
"""For how long an operation is repeated: long enough for what else the machine does to count in."""

EXPONENT_BITS = 256
"""Of the power by which multiplications of a few numbers are timed: some milliseconds' worth."""


def measure(key_bits: int, profile: Profile, few: int) -> Machine:
    """Time encryption and multiplication at the widths of a key.

    Args:
        few: ciphertexts of a node's reply.
    """
    rows = REFERENCE_ROWS if kernel_name() == "reference" else ROWS
    key = _public_primes(key_bits)
    encryptor, modulus = Encryptor(key, profile), key.public_key.modulus
    plain = np.arange(2 * rows, dtype=np.uint64).reshape(rows, 2)
    ciphertexts = encryptor.encrypt(plain)
    residues = check_ciphertexts(key.public_key, ciphertexts)
    half = Modulus(to_bytes(key.p**2))
    halves = half.to_residues(half.reduce(ciphertexts))
    few = max(1, min(few, rows))
    return Machine(
        kernel=kernel_name(),
        threads=processors(),
        encrypt=_seconds(lambda: encryptor.encrypt(plain)) / rows,
        take=_seconds(lambda: check_ciphertexts(key.public_key, ciphertexts)) / rows,
        public=_in_sums(modulus, residues),
        few_public=_in_powers(modulus, residues[:few]),
        few_private=_in_powers(half, halves[:few]),
    )


def shared_sums(columns: Float32, max_bin: int, depth: int, sampled: float = 1.0) -> tuple[int, float]:
    """Bins of real columns, and the multiplications that the sums of a tree on them take.

    The rows of each node are drawn at random, as many as `vfl.algorithms.trees.multiplications.levels` says.

    Args:
        columns: float32 [rows, columns].
    """
    cuts = cut_points(columns, max_bin)
    bins, n_bins = bin_columns(columns, cuts), cuts.n_bins
    counting = Counting()
    sums = EncryptedHistogram(cast(Modulus, counting), plan(bins, n_bins, np.arange(len(n_bins))))
    rng, total = np.random.default_rng(0), 0.0
    for level in levels(depth):
        counting.multiplications = 0
        node = np.flatnonzero(rng.random(len(bins)) < level.fraction * sampled)
        sums.sum_by_bin(np.zeros((len(bins), 1), dtype=np.uint64), node, node)
        total += level.nodes * counting.multiplications
    return int(n_bins.sum()), float(total)


class Counting:
    """Counts multiplications in place of arithmetic modulo n^2."""

    def __init__(self) -> None:
        self.multiplications = 0

    def sum_by_group(
        self, residues: Limbs, rows: npt.NDArray[np.int64], groups: npt.NDArray[np.int32], n_groups: int
    ) -> Limbs:
        occupied = int(np.count_nonzero(np.bincount(groups, minlength=n_groups)))
        self.multiplications += len(rows) - occupied
        return np.zeros((n_groups, 1), dtype=np.uint64)


def _public_primes(key_bits: int) -> PrivateKey:
    """The largest two primes of half as many bits that are 3 mod 4: a key that everybody knows."""
    primes: list[int] = []
    prime = gmpy2.mpz(2) ** (key_bits // 2)
    while len(primes) < 2:
        prime = gmpy2.prev_prime(prime)
        if prime % 4 == 3:
            primes.append(int(prime))
    return PrivateKey(*primes)


def _in_sums(modulus: Modulus, residues: Limbs) -> float:
    """Seconds of one multiplication in a sum by group."""
    rows = np.random.default_rng(0).permutation(len(residues))
    groups = np.arange(len(residues), dtype=np.int32) % 32
    return _seconds(lambda: modulus.sum_by_group(residues, rows, groups, 32)) / (len(rows) - 32)


def _in_powers(modulus: Modulus, residues: Limbs) -> float:
    """Seconds of one multiplication in powers of a few residues."""
    exponent = to_bytes(2**EXPONENT_BITS - 1)
    multiplications = EXPONENT_BITS * (1 + 1 / 5) + 32
    return _seconds(lambda: modulus.power(residues, exponent)) / multiplications / len(residues)


def _seconds(work: Callable[[], object]) -> float:
    """The mean time of some work, once warm."""
    work()
    start, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < BUDGET_SECONDS:
        work()
        count += 1
    return elapsed / count
