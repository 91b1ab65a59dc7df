"""An index of customers by key: their own columns, and their position in the alignment with each peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.data.rows import Rows
from vfl.arrays import Float32, Integers
from vfl.errors import DataError
from vfl.psi.alignment import Alignment
from vfl.psi.identifiers import canonical_keys


class Locations(NamedTuple):
    """Where customers are; -1 for a customer who is not there.

    rows: int64 [n], rows of the label party's own columns.
    aligned: bool [n], whether the customer was in the population when it was aligned.
    positions: by feature party int64 [n], positions in its alignment.
    """

    rows: Integers
    aligned: npt.NDArray[np.bool_]
    positions: dict[str, Integers]


class CustomerIndex:
    """The label party's rows and their alignment, looked up by canonical key.

    Args:
        rows: the label party's, with the columns of the model alone.
        alignments: with each feature party.
        unchanged: whether the rows are those that were aligned. If not, customers that no feature party
            knows cannot be told from those who came later, and count as not aligned.
    """

    def __init__(self, rows: Rows, alignments: Mapping[str, Alignment], *, unchanged: bool) -> None:
        keys = rows.identifiers.keys
        self._recipe = rows.identifiers.recipe
        self._columns = rows.table.columns[rows.identifiers.rows]
        self._row = {key: row for row, key in enumerate(keys)}
        for alignment in alignments.values():
            for key in alignment.identifiers:  # some may have left the rows since
                self._row.setdefault(key, len(self._row))
        # The last entry answers for customers that are not here, whose row is -1.
        self._aligned = np.zeros(len(self._row) + 1, dtype=np.bool_)
        self._aligned[: len(keys)] = unchanged
        self._positions: dict[str, Integers] = {}
        for peer, alignment in alignments.items():
            entries = np.fromiter((self._row[key] for key in alignment.identifiers), np.int64)
            self._positions[peer] = np.full(len(self._aligned), -1, dtype=np.int64)
            self._positions[peer][entries] = np.arange(len(entries))
            self._aligned[entries] = True

    def keys(self, fields: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the canonical key of each customer, ``""`` where it has none that can be used.

        Args:
            fields: values of each field of the recipe, of one length.
        """
        try:
            return canonical_keys(fields, self._recipe)
        except DataError:  # broken Unicode in one of them: look at each alone
            count = len(next(iter(fields.values())))
            if count == 1:
                return [""]
            alone = ({field: values[n : n + 1] for field, values in fields.items()} for n in range(count))
            return [self.keys(one)[0] for one in alone]

    def find(self, keys: Sequence[str]) -> Locations:
        """Return where customers of canonical keys are."""
        row = self._row
        entries = np.fromiter((row.get(key, -1) for key in keys), np.int64, len(keys))
        positions = {peer: position[entries] for peer, position in self._positions.items()}
        rows = np.where(entries < len(self._columns), entries, -1)
        return Locations(rows, self._aligned[entries], positions)

    def columns(self, rows: Integers) -> Float32:
        """Return own columns float32 [n, columns] of rows, all missing for a row of -1."""
        columns = self._columns[rows]
        columns[rows < 0] = np.nan
        return columns
