"""What a binning job leaves at each party, and its JSON form.

A party keeps cut points and weights of evidence of its own columns and nothing of anybody else's. The
label party keeps the table of counts as well: by column and bin, a feature party's columns by name only
where the owner shows it, and bins by number only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from vfl.binning import check_columns
from vfl.errors import DataError, StateError
from vfl.scorecard.binning import bins_of
from vfl.scorecard.params import BinningParams

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

VERSION = 1
BLOCK_ROWS = 65_536


class CodedColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one of a party's own columns becomes weight of evidence.

    Attributes:
        column: its number in the party's table.
        cuts: float32 ascending; a value is in the bin whose number is how many cuts it reaches.
        woe: by bin, ``len(cuts) + 1`` numbers.
        missing: the weight of evidence of a missing value; 0 if none was missing.
    """

    column: int
    cuts: list[float]
    woe: list[float]
    missing: float

    def __post_init__(self) -> None:
        numbers = [*self.cuts, *self.woe, self.missing]
        _check(self.column >= 0 and all(map(math.isfinite, numbers)), "number that cannot be")
        ascending = all(low < high for low, high in zip(self.cuts, self.cuts[1:], strict=False))
        _check(ascending and len(self.woe) == len(self.cuts) + 1, "cuts that do not fit the bins")


class Binning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's own columns in bins.

    Attributes:
        columns: names of all columns of the party's table.
        coded: those that were kept, the one with most information value first.
    """

    version: int = VERSION
    columns: list[str]
    coded: list[CodedColumn]

    def __post_init__(self) -> None:
        _check_version(self.version)
        known = range(len(self.columns))
        _check(all(of.column in known for of in self.coded), "unknown column")

    @property
    def names(self) -> list[str]:
        """Names of the kept columns, in the order of `woe_columns`."""
        return [self.columns[of.column] for of in self.coded]

    def of_kept(self) -> Binning:
        """The same coding of a table that has the kept columns alone, in the order of this one's."""
        kept = sorted(of.column for of in self.coded)
        coded = [msgspec.structs.replace(of, column=kept.index(of.column)) for of in self.coded]
        return Binning(columns=[self.columns[column] for column in kept], coded=coded)


class BinRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a column's table.

    Attributes:
        kind: ``values`` (numbered bins, in order of value), ``missing``, or ``unknown`` for rows whose
            customer the owner does not know.
        rows, events: sums of weights of all rows and of those with label 1.
        woe, iv: weight of evidence and information value.
    """

    kind: Literal["values", "missing", "unknown"]
    rows: float
    events: float
    woe: float
    iv: float


class ColumnTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of one column, as the label party holds it.

    Attributes:
        owner: the feature party, "" for the label party itself.
        column: number in the owner's table.
        name: as the owner shows it, or "".
        bins: its lines.
        kept: whether it was selected.
    """

    owner: str
    column: int
    name: str
    bins: list[BinRow]
    kept: bool

    @property
    def iv(self) -> float:
        """Information value of the column: all lines but that of unknown customers, which is not its own."""
        return sum(line.iv for line in self.bins if line.kind != "unknown")


class LabelBinning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the label party keeps.

    Attributes:
        params: of the job.
        own: the label party's own columns.
        tables: of every column of every party, the label party's first.
        unknown: by feature party that does not know enough rows of either label, the weight of evidence of
            those rows.
    """

    version: int = VERSION
    params: BinningParams
    own: Binning
    tables: list[ColumnTable]
    unknown: dict[str, float]

    def __post_init__(self) -> None:
        _check_version(self.version)
        _check(all(map(math.isfinite, self.unknown.values())), "number that cannot be")


def woe_columns(binning: Binning, columns: Float32) -> Float64:
    """Code a party's columns by weight of evidence.

    Args:
        binning: the party's own.
        columns: float32 [rows, all columns of the party's table], NaN where missing.

    Returns:
        float64 [rows, kept columns].

    Raises:
        DataError: another number of columns than the binning is about, or an infinite value.
    """
    check_columns(columns)
    if columns.shape[1] != len(binning.columns):
        raise DataError(f"{columns.shape[1]} columns given, the binning is of {len(binning.columns)}")
    coded = np.empty((len(columns), len(binning.coded)), order="F")
    for position, of in enumerate(binning.coded):
        values = columns[:, of.column]
        woe = np.array(of.woe)[bins_of(values, np.array(of.cuts, dtype=np.float32))]
        coded[:, position] = np.where(np.isnan(values), of.missing, woe)
    return coded


def woe_blocks(binning: Binning, columns: Float32) -> Iterator[Float64]:
    """The same as `woe_columns` in blocks of rows, for tables whose coded columns would not fit memory."""
    for start in range(0, len(columns), BLOCK_ROWS):
        yield woe_columns(binning, columns[start : start + BLOCK_ROWS])


def unknown_columns(binning: LabelBinning, known: dict[str, Bool]) -> Float64:
    """Code by feature party who is not its customer: one more column of the label party for each.

    A feature party's own columns are 0 for these rows, so that not being known counts once, with a
    coefficient of its own.

    Args:
        binning: the label party's.
        known: bool [rows] by feature party, the label party's alignment with it.

    Returns:
        float64 [rows, columns], a column for each party of ``binning.unknown`` in its order.

    Raises:
        DataError: a party of the binning is not among ``known``.
    """
    if absent := set(binning.unknown) - set(known):
        raise DataError(f"the binning needs to know the customers of {', '.join(sorted(absent))}")
    rows = len(next(iter(known.values()), ()))
    coded = np.empty((rows, len(binning.unknown)), order="F")
    for position, (peer, woe) in enumerate(binning.unknown.items()):
        coded[:, position] = np.where(known[peer], 0.0, woe)
    return coded


def to_json(binning: Binning | LabelBinning) -> bytes:
    """A binning as JSON; numbers are written so that reading gives the same bits."""
    return msgspec.json.encode(binning)


def own_binning(data: bytes) -> Binning:
    """Read a party's binning; raises StateError where it is damaged or of another version."""
    return _read(data, Binning)


def label_binning(data: bytes) -> LabelBinning:
    """Read the label party's binning; raises as `own_binning` does."""
    return _read(data, LabelBinning)


_Kind = TypeVar("_Kind", Binning, LabelBinning)


def _read(data: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise StateError(f"Not a readable {kind.__name__}: {error}") from error


def _check_version(version: int) -> None:
    _check(version == VERSION, f"version {version}, this release reads version {VERSION}")


def _check(holds: bool, mistake: str) -> None:
    if not holds:
        raise StateError(f"Damaged binning ({mistake}): restore it from a copy or bin again")
