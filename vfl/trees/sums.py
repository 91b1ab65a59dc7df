"""Encrypted sums by (column, bin), with far fewer multiplications than one per row and column.

The sum of a bin is the product of its rows' ciphertexts. Columns share that work: rows go once into the
occupied *cells* of several columns taken together, and the cells, fewer than the rows, go on into the
cells of fewer columns, down to the bins of each (the idea is Pippenger's). Merging two sets of columns
whose joint cells number ``c`` on ``m`` rows saves ``m - c`` multiplications and never costs one, so the
plan merges greedily, fewest joint cells first, and stops where the saving no longer pays for the
bookkeeping. The plan is the feature party's own affair: nothing of it crosses the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.binning import Bins
from vfl.crypto.kernel import Modulus

Integers = npt.NDArray[np.int64]
Limbs = npt.NDArray[np.uint64]

PLANNING_ROWS = 8192
"""Rows on which joint cells are counted. More rows only lower the share of occupied cells, so what the
sample says is saved is saved at least."""

LEAST_SAVING = 0.125
"""Share of a pass's multiplications that cells must save: a look-up and a relabelling of a row cost
about a tenth of a multiplication modulo a 4096-bit number."""


@dataclass(frozen=True)
class Cells:
    """A set of columns and the joint cell of each row.

    Attributes:
        columns: the columns, ascending.
        ids: integers [rows]; the cell of each row, below ``count``. Of a single column these are its
            bins, the missing code being ``count - 1``.
        parts: the two sets of columns that this one joins; none for a single column.
    """

    columns: tuple[int, ...]
    ids: npt.NDArray[Any]
    count: int
    parts: tuple[Cells, ...] = ()


def plan(bins: Bins, n_bins: Integers, columns: Integers) -> list[Cells]:
    """Choose which columns share a pass over the rows.

    Args:
        bins: uint8/uint16 [rows, all columns].
        n_bins: int64 [all columns].
        columns: the columns to plan for.

    Returns:
        Sets of columns that together hold each wanted column once; one pass over the rows serves a set.
    """
    rows = len(bins)
    # Evenly spaced rows: their order (by masked identifier) is random already.
    sample = np.arange(rows)[:: max(1, rows // PLANNING_ROWS)]
    sets = {int(c): Cells((int(c),), bins[:, c], int(n_bins[c]) + 1) for c in columns}
    sampled = {key: np.asarray(cells.ids[sample], dtype=np.int64) for key, cells in sets.items()}
    pairs = {(a, b): _joint(sampled[a], sampled[b]) for a in sets for b in sets if a < b}
    following = int(n_bins.size)
    while pairs:
        (a, b), occupied = min(pairs.items(), key=lambda item: item[1])
        if occupied > (1 - LEAST_SAVING) * len(sample):
            break
        left, right = sets.pop(a), sets.pop(b)
        pairs = {pair: cells for pair, cells in pairs.items() if not {a, b} & set(pair)}
        joined = _join(left, right)
        sampled[following] = np.asarray(joined.ids[sample], dtype=np.int64)
        pairs |= {(key, following): _joint(sampled[key], sampled[following]) for key in sets}
        sets[following] = joined
        following += 1
    return list(sets.values())


def _joint(a: Integers, b: Integers) -> int:
    """How many different pairs two columns of cells form."""
    return len(np.unique(a * (int(b.max(initial=0)) + 1) + b))


def _join(a: Cells, b: Cells) -> Cells:
    occupied, ids = np.unique(a.ids.astype(np.int64) * b.count + b.ids, return_inverse=True)
    return Cells(tuple(sorted(a.columns + b.columns)), ids.astype(np.int32), len(occupied), (a, b))


class BinSums:
    """Sums the ciphertexts of a node by (column, bin).

    Args:
        modulus: arithmetic modulo n^2.
        sets: from `plan`.
    """

    def __init__(self, modulus: Modulus, sets: list[Cells]) -> None:
        self._modulus = modulus
        self._sets = sets

    def of(self, residues: Limbs, index: Integers, rows: Integers) -> Limbs:
        """Return the encrypted sum of every bin over a node's rows.

        A missing value enters no bin; an empty bin holds the residue of 1.

        Args:
            residues: [sampled rows, limbs], ciphertexts in residue form.
            index: int64 [m], where in ``residues`` each row of the node lies.
            rows: int64 [m], the same rows as numbered in the plan's bins.

        Returns:
            [sum of n_bins over the planned columns, limbs], columns ascending.
        """
        sums: dict[int, Limbs] = {}
        for cells in self._sets:
            self._descend(cells, residues, index, rows, sums)
        parts = [sums[column] for column in sorted(sums)]
        return np.concatenate(parts) if parts else residues[:0]

    def _descend(
        self, cells: Cells, residues: Limbs, index: Integers, rows: Integers, sums: dict[int, Limbs]
    ) -> None:
        ids = cells.ids[rows]
        if not cells.parts:
            column, n_bins = cells.columns[0], cells.count - 1
            known = np.flatnonzero(ids < n_bins)
            groups = ids[known].astype(np.int32)
            sums[column] = self._modulus.sum_by_group(residues, index[known], groups, n_bins)
            return
        groups, count = _relabel(ids, cells.count)
        if count <= (1 - LEAST_SAVING) * len(rows):
            residues = self._modulus.sum_by_group(residues, index, groups, count)
            # Any row of a cell stands for it from here on: its rows agree in all these columns.
            representatives = np.empty(count, dtype=np.int64)
            representatives[groups] = rows
            index, rows = np.arange(count, dtype=np.int64), representatives
        for part in cells.parts:
            self._descend(part, residues, index, rows, sums)


def _relabel(ids: npt.NDArray[Any], count: int) -> tuple[npt.NDArray[np.int32], int]:
    """Number the cells that occur from 0 without gaps; returns the new ids and how many there are."""
    if count > 8 * len(ids):  # a table of all cells would cost more than a sort of these few
        occurring, new = np.unique(ids, return_inverse=True)
        return new.astype(np.int32), len(occurring)
    occurs = np.zeros(count, dtype=np.bool_)
    occurs[ids] = True
    numbers = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return numbers[ids], int(numbers[-1]) + 1 if count else 0
