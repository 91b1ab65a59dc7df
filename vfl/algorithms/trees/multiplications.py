"""How many modular multiplications each step of training takes.

They follow from rows, bins and key alone, but for two things that depend on the data and are estimated:
how many rows the summed nodes hold together (`LEVEL_SHARE`) and how much columns share sums
(`independent_sums`; `vfl.algorithms.trees.machine_speed` counts it on real columns). Times the seconds of one
multiplication they bound from below how long a step takes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vfl.aggregation.group_sums import LEAST_SAVING, PLANNED_SHARE, PLANNING_ROWS
from vfl.crypto.paillier import Profile
from vfl.crypto.randomness import STATISTICAL_BITS, Rerandomizer

FIXED_BASE_WINDOW = 8
"""Bits of an exponent for one multiplication by the encryptor's tables."""

LEVEL_SHARE = 0.35
"""Rows that a level's summed nodes hold, of all rows. The child with fewer rows is summed: half of them at
most (independent columns come near), a fifth where splits are lopsided."""


class Multiplications(NamedTuple):
    """Multiplications modulo n^2 (``public``) and modulo p^2 or q^2, half as wide (``private``)."""

    public: float = 0.0
    private: float = 0.0

    def times(self, count: float) -> Multiplications:
        return Multiplications(self.public * count, self.private * count)


def encryption(key_bits: int, profile: Profile) -> Multiplications:
    """For one row: a table look-up and multiplication for each window of the exponent, in both halves, then
    the Chinese remainder (one each) and the product with the plaintext (one, and three conversions)."""
    bits = key_bits // 2 + STATISTICAL_BITS if profile == "full" else (512 if key_bits >= 3072 else 448)
    return Multiplications(public=4, private=2 * (math.ceil(bits / FIXED_BASE_WINDOW) + 1))


def taking() -> Multiplications:
    """For one row at the feature party: into residue form, and into the product that is checked."""
    return Multiplications(public=3)


def independent_sums(rows: float, columns: int, bins: int, table_rows: int) -> float:
    """Multiplications that a node's sums take where columns have nothing to do with one another.

    As many columns join as `vfl.aggregation.group_sums.plan` would join of a table of ``table_rows``: ``k``
    columns of b bins have ``b^k (1 - (1 - b^-k)^m)`` occupied cells on m rows. Each set takes a pass over the
    rows, and its cells, where they are fewer, one for each of its columns. Correlated columns take less.
    """
    sample = min(table_rows, max(PLANNING_ROWS, table_rows // PLANNED_SHARE))
    pairs = columns > 1 and _occupied(bins**2, sample) <= (1 - LEAST_SAVING) * sample
    cells = _occupied(bins**2, rows)
    if not pairs or cells > (1 - LEAST_SAVING) * rows:
        return rows * columns
    return columns // 2 * (rows + cells) + columns % 2 * rows


def _occupied(cells: int, rows: float) -> float:
    return -cells * math.expm1(rows * math.log1p(-1 / cells)) if cells > 1 else 1.0


def packing(slots: int, slot_bits: int) -> Multiplications:
    """For one packed ciphertext: by Horner, a slot's width in squarings and one multiplication a slot."""
    return Multiplications(public=(slots - 1) * (slot_bits + 1))


def rerandomising(key_bits: int) -> Multiplications:
    """For one packed ciphertext: windows of the exponent, half of the coset bases, and into plain form."""
    windows = math.ceil((key_bits + STATISTICAL_BITS) / Rerandomizer.WINDOW)
    return Multiplications(public=windows + Rerandomizer.COSET_BASES / 2 + 2)


def decryption(key_bits: int) -> Multiplications:
    """For one packed ciphertext: checked, then to the power p - 1 and q - 1 by windows of 5 bits."""
    power = key_bits / 2 * (1 + 1 / 5) + 32
    return Multiplications(public=taking().public, private=2 * (power + 4))


def opening(key_bits: int) -> Multiplications:
    """For a job at the feature party: random numbers to the power n, and a table of powers."""
    power = key_bits * (1 + 1 / 5) + 32
    windows = math.ceil((key_bits + STATISTICAL_BITS) / Rerandomizer.WINDOW)
    return Multiplications(public=(Rerandomizer.COSET_BASES + 1) * power + windows * 2**Rerandomizer.WINDOW)


class Level(NamedTuple):
    """The nodes of one level that a feature party sums, and the rows of each as a fraction of all."""

    nodes: int
    fraction: float


def levels(depth: int) -> list[Level]:
    """The root, then of every pair of siblings the one with fewer rows, in a tree that is full."""
    below = [Level(2 ** (level - 1), LEVEL_SHARE / 2 ** (level - 1)) for level in range(1, depth)]
    return [Level(1, 1.0), *below]
