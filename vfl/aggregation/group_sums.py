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

from vfl.arrays import Bins, Integers, Limbs
from vfl.crypto.kernel import Modulus

Labels = tuple[npt.NDArray[Any], int]  # a number for each row, and how many there are

PLANNING_ROWS = 8192
"""Fewest rows on which joint cells are counted, if there are as many. More rows only lower the fraction of
occupied cells, so what the sample says is saved is saved at least."""

PLANNED_SHARE = 16
"""Of a larger table one row in so many is counted: about as many rows as an average node sums."""

MOST_CELLS = 2**18
"""Cells of one set, at most: their sums are in memory at once, 128 MB at 2048 bits."""

LEAST_SAVING = 0.125
"""Share of a pass's multiplications that cells must save: a look-up and a relabelling of a row cost
about a tenth of a multiplication modulo a 4096-bit number."""


@dataclass(frozen=True)
class JointCells:
    """A set of columns and the joint cell of each row.

    Attributes:
        columns: the columns, ascending.
        ids: integers [rows]; the cell of each row, below ``count``. Of a single column these are its
            bins, the missing code being ``count - 1``. Joins are fewer than columns and cells fewer than
            2^18, so that all ids together take less memory than the columns themselves as float32.
        parts: the two sets of columns that this one joins; none for a single column.
    """

    columns: tuple[int, ...]
    ids: npt.NDArray[Any]
    count: int
    parts: tuple[JointCells, ...] = ()


def plan(bins: Bins, n_bins: Integers, columns: Integers) -> list[JointCells]:
    """Choose which columns share a pass over the rows.

    Args:
        bins: uint8/uint16 [rows, all columns].
        n_bins: int64 [all columns].
        columns: the columns to plan for.

    Returns:
        Sets of columns that together hold each wanted column once; one pass over the rows serves a set.
    """
    rows = len(bins)
    counted = min(rows, max(PLANNING_ROWS, rows // PLANNED_SHARE))
    # Evenly spaced rows: their order (by masked identifier) is random already.
    sample = np.arange(rows)[:: max(1, rows // max(1, counted))]
    sets = {int(c): JointCells((int(c),), bins[:, c], int(n_bins[c]) + 1) for c in columns}
    sampled = {key: _relabel(cells.ids[sample], cells.count) for key, cells in sets.items()}
    pairs = {(a, b): _joint(sampled[a], sampled[b])[1] for a in sets for b in sets if a < b}
    following = int(n_bins.size)
    while pairs:
        (a, b), occupied = min(pairs.items(), key=lambda item: item[1])
        if occupied > (1 - LEAST_SAVING) * len(sample):
            break
        joined = _join(sets[a], sets[b])
        if joined.count > MOST_CELLS:  # so would be those of most other pairs
            break
        del sets[a], sets[b]
        pairs = {pair: cells for pair, cells in pairs.items() if not {a, b} & set(pair)}
        sampled[following] = _joint(sampled.pop(a), sampled.pop(b))
        pairs |= {(key, following): _joint(sampled[key], sampled[following])[1] for key in sets}
        sets[following] = joined
        following += 1
    return list(sets.values())


def _joint(a: Labels, b: Labels) -> Labels:
    """The cells of two labellings taken together, numbered without gaps."""
    (ids_a, count_a), (ids_b, count_b) = a, b
    return _relabel(ids_a.astype(np.int64) * count_b + ids_b, count_a * count_b)


def _join(a: JointCells, b: JointCells) -> JointCells:
    ids, count = _joint((a.ids, a.count), (b.ids, b.count))
    narrow = np.uint16 if count <= np.iinfo(np.uint16).max else np.int32
    return JointCells(tuple(sorted(a.columns + b.columns)), ids.astype(narrow), count, (a, b))


class EncryptedHistogram:
    """Sums the ciphertexts of a node by (column, bin).

    Args:
        modulus: arithmetic modulo n^2.
        sets: from `plan`.
        block_rows: where residues lie on disk, how many rows of a node are brought into memory at a time,
            in ascending order; each block costs a multiplication for every bin besides. None where they
            lie in memory.
    """

    def __init__(self, modulus: Modulus, sets: list[JointCells], block_rows: int | None = None) -> None:
        self._modulus = modulus
        self._sets = sets
        self._block_rows = block_rows

    def sum_by_bin(self, residues: Limbs, index: Integers, rows: Integers) -> Limbs:
        """Return the encrypted sum of every bin over a node's rows.

        A missing value enters no bin; an empty bin holds the residue of 1.

        Args:
            residues: [sampled rows, limbs], ciphertexts in residue form.
            index: int64 [m], where in ``residues`` each row of the node lies, ascending.
            rows: int64 [m], the same rows as numbered in the plan's bins.

        Returns:
            [sum of n_bins over the planned columns, limbs], columns ascending.
        """
        if self._block_rows is None:
            return self._pass(residues, index, rows)
        sums: Limbs | None = None
        for start in range(0, len(rows), self._block_rows):
            block = slice(start, start + self._block_rows)
            read = np.asarray(residues[index[block]])
            partial = self._pass(read, np.arange(len(read), dtype=np.int64), rows[block])
            sums = partial if sums is None else self._modulus.multiply(sums, partial)
        return residues[:0] if sums is None else sums

    def _pass(self, residues: Limbs, index: Integers, rows: Integers) -> Limbs:
        sums: dict[int, Limbs] = {}
        for cells in self._sets:
            self._descend(cells, residues, index, rows, sums)
        parts = [sums[column] for column in sorted(sums)]
        return np.concatenate(parts) if parts else residues[:0]

    def _descend(
        self, cells: JointCells, residues: Limbs, index: Integers, rows: Integers, sums: dict[int, Limbs]
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


def _relabel(ids: npt.NDArray[Any], count: int) -> Labels:
    """Number the cells that occur from 0 without gaps; returns the new ids and how many there are."""
    if count > 8 * len(ids):  # a table of all cells would cost more than a sort of these few
        occurring, new = np.unique(ids, return_inverse=True)
        return new.astype(np.int32), len(occurring)
    occurs = np.zeros(count, dtype=np.bool_)
    occurs[ids] = True
    numbers = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return numbers[ids], int(numbers[-1]) + 1 if count else 0
