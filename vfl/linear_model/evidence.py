"""Weights of evidence: how a party's columns, or who is its customer, become columns of a linear model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np

from vfl.aggregation.store import FeatureStore
from vfl.arrays import Bool, Float32, Float64, Integers, check_columns
from vfl.errors import DataError, StateError

VERSION = 1
_Kind = TypeVar("_Kind", bound=msgspec.Struct)
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
        check(self.column >= 0 and all(map(math.isfinite, numbers)), "number that cannot be")
        ascending = all(low < high for low, high in zip(self.cuts, self.cuts[1:], strict=False))
        check(ascending and len(self.woe) == len(self.cuts) + 1, "cuts that do not fit the bins")


class Binning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's own columns in bins.

    Attributes:
        columns: names of all columns of the party's table.
        coded: the selected ones, the one with most information value first.
    """

    version: int = VERSION
    columns: list[str]
    coded: list[CodedColumn]

    def __post_init__(self) -> None:
        check(self.version == VERSION, f"version {self.version}, this release reads version {VERSION}")
        known = range(len(self.columns))
        check(all(column.column in known for column in self.coded), "unknown column")

    @property
    def names(self) -> list[str]:
        """Names of the selected columns, in the order of `woe_columns`."""
        return [self.columns[column.column] for column in self.coded]

    def of_selected(self) -> Binning:
        """The same coding of a table of the selected columns, in the order of this one's."""
        used = sorted(code.column for code in self.coded)
        coded = [msgspec.structs.replace(code, column=used.index(code.column)) for code in self.coded]
        return Binning(columns=[self.columns[column] for column in used], coded=coded)


class NamedBinning(NamedTuple):
    """A label party's binning as training takes it.

    name: under which every party keeps its part.
    own: the label party's own columns.
    unknown: by feature party, the weight of evidence of customers that it does not know.
    """

    name: str
    own: Binning
    unknown: Mapping[str, float]


class BinningStore(FeatureStore, Protocol):
    """A store that keeps a feature party's binnings as well."""

    def save_binning(self, binning_id: str, binning: Binning) -> None: ...

    def load_binning(self, binning_id: str) -> Binning:
        """Raises StateError where there is none of that name."""
        ...


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
    for position, code in enumerate(binning.coded):
        values = columns[:, code.column]
        woe = np.array(code.woe)[bins_of(values, np.array(code.cuts, dtype=np.float32))]
        coded[:, position] = np.where(np.isnan(values), code.missing, woe)
    return coded


def woe_blocks(binning: Binning, columns: Float32) -> Iterator[Float64]:
    """The same as `woe_columns` in blocks of rows, for tables whose coded columns would not fit memory."""
    for start in range(0, len(columns), BLOCK_ROWS):
        yield woe_columns(binning, columns[start : start + BLOCK_ROWS])


def unknown_columns(unknown: Mapping[str, float], known: Mapping[str, Bool]) -> Float64:
    """Code by feature party who is not its customer: one more column of the label party for each.

    A feature party's own columns are 0 for these rows, so that not being known counts once, with a
    coefficient of its own.

    Args:
        unknown: by feature party, the weight of evidence of customers that it does not know.
        known: bool [rows] by feature party, the label party's alignment with it.

    Returns:
        float64 [rows, columns], a column for each party of ``unknown`` in its order.

    Raises:
        DataError: a party of ``unknown`` is not among ``known``.
    """
    if absent := set(unknown) - set(known):
        raise DataError(f"the binning needs to know the customers of {', '.join(sorted(absent))}")
    rows = len(next(iter(known.values()), ()))
    coded = np.empty((rows, len(unknown)), order="F")
    for position, (peer, woe) in enumerate(unknown.items()):
        coded[:, position] = np.where(known[peer], 0.0, woe)
    return coded


def bins_of(column: Float32, cuts: Float32) -> Integers:
    """The bin of each value: how many cuts it reaches; of a missing value the last."""
    return np.searchsorted(cuts, column, side="right")


def check(holds: bool, mistake: str) -> None:
    """Raise StateError with what is wrong with a stored binning, unless it holds."""
    if not holds:
        raise StateError(f"Damaged binning ({mistake}): restore it from a copy or bin again")


def to_json(binning: msgspec.Struct) -> bytes:
    """Return a binning as JSON; numbers are written so that reading gives the same bits."""
    return msgspec.json.encode(binning)


def own_binning(data: bytes) -> Binning:
    """Read a party's binning; raises StateError where it is damaged or of another version."""
    return read_json(data, Binning)


def named_binning(name: str, data: bytes) -> NamedBinning:
    """Read what training needs of the label party's binning; raises as `own_binning` does."""
    coding = read_json(data, _LabelCoding)
    return NamedBinning(name, coding.own, coding.unknown)


def read_json(data: bytes, kind: type[_Kind]) -> _Kind:
    """Read a stored binning; raises StateError where it is damaged or of another version."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise StateError(f"Not a readable {kind.__name__}: {error}") from error


class _LabelCoding(msgspec.Struct, frozen=True):
    """The fields of a label party's binning that training needs."""

    own: Binning
    unknown: dict[str, float]
