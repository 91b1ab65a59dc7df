"""A party's rows with their canonical keys: what every job starts from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.config import Config
from parties.data import connectors
from parties.data.connectors.table import Table, tabulate
from vfl.aggregation.table import LabelTable
from vfl.psi.alignment import Alignment
from vfl.psi.identifiers import PreparedIdentifiers, Recipe, prepare


class Rows(NamedTuple):
    """The table of a source and the identifiers of its usable rows."""

    table: Table
    identifiers: PreparedIdentifiers

    @property
    def label_table(self) -> LabelTable:
        """The usable rows as the label party's functions take them."""
        usable, table = self.identifiers.rows, self.table
        return LabelTable(
            self.identifiers.keys,
            table.names,
            table.columns[usable],
            np.zeros(0, np.float32) if table.labels is None else table.labels[usable],
            None if table.weights is None else table.weights[usable],
            None if table.amounts is None else table.amounts[usable],
            None if table.days is None else table.days[usable],
        )

    def only(self, alignment: Alignment) -> Rows:
        """Return the rows of aligned customers alone, in the order of the alignment; raises NotAligned."""
        rows = self.rows_of(alignment)
        return Rows(self.table, replace(self.identifiers, keys=list(alignment.identifiers), rows=rows))

    def rows_of(self, alignment: Alignment) -> npt.NDArray[np.int64]:
        """Return int64 [aligned rows]: the table row of each aligned customer; raises NotAligned."""
        return self.identifiers.rows[alignment.positions_in(self.identifiers.keys)]


def load(config: Config, *, training: bool = True) -> Rows:
    """Read ``[data]``.

    Args:
        training: whether the label, weight, amount and day must be there, and every column have a value.

    Raises:
        DataError: the source cannot be read or used; every problem is listed.
    """
    table = tabulate(connectors.read(config), config.data, training=training)
    identifiers = prepare(
        table.keys,
        Recipe.parse(config.data.recipe),
        on_duplicates=config.data.on_duplicates,
        on_empty=config.data.on_empty,
    )
    return Rows(table, identifiers)


ALIGNMENTS_IN_MEMORY = 4
"""Alignments whose columns a source keeps in memory: those that were used last."""


class Aligned(NamedTuple):
    """Columns in the order of an alignment, and the version of the file they were read from."""

    version: tuple[int, int] | None
    names: list[str]
    columns: npt.NDArray[np.float32]


class Source:
    """The rows of ``[data]``, read again only when the file has changed; a database is always read."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._rows: Rows | None = None
        self._aligned: dict[bytes, Aligned] = {}

    def rows(self) -> Rows:
        """Return the rows; raises DataError."""
        with self._lock:
            return self._read()

    def aligned(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return names and values ``float32[aligned rows, features]`` of the columns of aligned customers.

        The values are read-only, so that jobs on the same alignment and the same data share one array.

        Raises:
            NotAligned: aligned customers are not in the data any more.
            DataError: the data cannot be used.
        """
        with self._lock:
            version, last = connectors.version(self._config), self._aligned.pop(alignment.fingerprint, None)
            if last is None or version is None or last.version != version:
                rows = self._read()
                names, columns = rows.table.names, rows.table.columns[rows.rows_of(alignment)]
                if last and last.names == names and np.array_equal(last.columns, columns, equal_nan=True):
                    columns = last.columns
                columns.setflags(write=False)
                last = Aligned(version, names, columns)
            self._aligned[alignment.fingerprint] = last
            while len(self._aligned) > ALIGNMENTS_IN_MEMORY:
                del self._aligned[next(iter(self._aligned))]
            return last.names, last.columns

    def _read(self) -> Rows:
        version = connectors.version(self._config)
        if self._rows is None or version is None or version != self._version:
            self._rows, self._version = load(self._config), version
        return self._rows


def population(keys: Sequence[str]) -> str:
    """Return a digest of a set of canonical keys, the same whatever their order."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def drawn(keys: Sequence[str], fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which customers are kept out for validation: the same ones whatever the order of rows."""
    limit = int(fraction * 2**64)
    digests = (hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8], "little") < limit for digest in digests], dtype=np.bool_)
