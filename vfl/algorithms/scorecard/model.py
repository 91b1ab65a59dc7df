"""What a binning job leaves at each party, and its JSON form.

A party keeps cut points and weights of evidence of its own columns and nothing of anybody else's. The
label party keeps the table of counts as well: by column and bin, a feature party's columns by name only
where the owner shows it, and bins by number only.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from vfl.algorithms.scorecard.params import BinningParams
from vfl.linear_model.evidence import Binning, check, read_json

VERSION = 1


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
        selected: whether the model uses it.
    """

    owner: str
    column: int
    name: str
    bins: list[BinRow]
    selected: bool

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
        check(self.version == VERSION, f"version {self.version}, this release reads version {VERSION}")
        check(all(map(math.isfinite, self.unknown.values())), "number that cannot be")


def label_binning(data: bytes) -> LabelBinning:
    """Read the label party's binning; raises StateError where it is damaged or of another version."""
    return read_json(data, LabelBinning)
