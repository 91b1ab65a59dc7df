"""The least that training a linear model in plain mode can take: its multiplications, times one of them.

The feature party's sums are planned on its real columns and counted instead of made, round by round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import numpy as np

from benchmarks.limit import in_seconds
from vfl.algorithms.linear.directions import Directions
from vfl.algorithms.linear.remote_party import CHUNK_ROWS
from vfl.algorithms.linear.slots import Slots
from vfl.algorithms.linear.weighted_sums import WeightedSums
from vfl.algorithms.linear.whole_numbers import whole_columns, whole_products
from vfl.algorithms.trees import multiplications as count
from vfl.algorithms.trees.machine_speed import Counting
from vfl.algorithms.trees.multiplications import Multiplications
from vfl.arrays import Float32, Integers
from vfl.crypto.kernel import Limbs
from vfl.crypto.paillier import PublicKey
from vfl.linear_model.params import LinearParams
from vfl.linear_model.scaling import Scaling


class Rounds(NamedTuple):
    """How many rounds a job had, and in how many of them curvatures were sent."""

    all: int
    curved: int


class CountedModulus(Counting):
    """Counts what weighted sums ask of arithmetic modulo n^2."""

    def multiply(self, a: Limbs, b: Limbs) -> Limbs:
        self.multiplications += len(a)
        return a

    def product(self, residues: Limbs) -> Limbs:
        self.multiplications += len(residues) - 1
        return residues[:1]

    def pack(self, residues: Limbs, slots: int, slot_bits: int) -> Limbs:
        packed = -(-len(residues) // slots)
        self.multiplications += round(count.packing(slots, slot_bits).times(packed).public)
        return residues[:packed]

    def power(self, residues: Limbs, exponent: bytes) -> Limbs:
        self.multiplications += len(residues) * round(8 * len(exponent) * (1 + 1 / 5) + 32)
        return residues


class _CountedKey(NamedTuple):
    """What weighted sums need of a public key."""

    modulus: CountedModulus
    n: int


def measure(columns: Float32, params: LinearParams, rounds: Rounds, key_bits: int) -> dict[str, Any]:
    """Count a job's multiplications and time one.

    Args:
        columns: float32 [rows, columns] of the feature party, which knows every row.

    Returns:
        as `benchmarks.limit.in_seconds`.
    """
    rows, f = columns.shape
    scaled = Scaling.fit(columns, standardise=params.standardise).apply(columns)
    whole, units = whole_columns(scaled)
    directions = Directions(whole * units, l2=params.l2, l1=params.l1, tol=params.tol, most=f)
    products = (product for product, _ in whole_products(directions.components))
    slots = Slots(rows)
    per_plaintext = slots.per_plaintext(key_bits)
    packed = math.ceil(f * (f + 1) / 2 / per_plaintext)
    sums = _summed(whole.T, rows, key_bits, shared=True)
    curved = _summed(products, rows, key_bits, shared=False)
    curved += round(count.packing(per_plaintext, slots.layout.width).times(packed).public)
    ciphertexts = [count.encryption(key_bits, "short"), count.taking()]
    answers = [count.rerandomising(key_bits), count.decryption(key_bits), Multiplications(public=2)]
    parts = [
        count.opening(key_bits),
        Multiplications(public=rounds.all * sums + rounds.curved * curved),
        *(of.times(rows * (rounds.all + rounds.curved)) for of in ciphertexts),
        *(of.times(rounds.all * f + rounds.curved * packed) for of in answers),
    ]
    return in_seconds(sum(of.public for of in parts), sum(of.private for of in parts), key_bits)


def _summed(columns: Iterable[Integers], rows: int, key_bits: int, *, shared: bool) -> int:
    """Multiplications of the sums of one round."""
    counted = CountedModulus()
    key = cast(PublicKey, _CountedKey(counted, 2 ** (key_bits - 1)))
    sums = WeightedSums(key, columns, shared=shared)
    for start in range(0, rows, CHUNK_ROWS):
        sums.add(np.zeros((min(CHUNK_ROWS, rows - start), 1), dtype=np.uint64), start)
    sums.take()
    return counted.multiplications
