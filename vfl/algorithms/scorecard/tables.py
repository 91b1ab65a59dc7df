"""From counts of pre-bins to a column's bins: its table for the label party, its coding for the owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from vfl.algorithms.scorecard.merging import merge_bins, merged
from vfl.algorithms.scorecard.model import BinRow, ColumnTable
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.prebinning import PreBins
from vfl.algorithms.scorecard.woe import Counts, information_value, weight_of_evidence
from vfl.arrays import Integers
from vfl.linear_model.evidence import CodedColumn


@dataclass(frozen=True)
class BinnedColumn:
    """A column in bins.

    Attributes:
        ends: the last pre-bin of each bin.
        table: what the label party keeps of it.
    """

    ends: Integers
    table: ColumnTable

    @property
    def woe(self) -> list[float]:
        """Weight of evidence of each bin of values."""
        return [line.woe for line in self.table.bins if line.kind == "values"]

    @property
    def missing(self) -> float:
        """Weight of evidence of missing values in a bin of their own; 0 if there are none."""
        return sum(line.woe for line in self.table.bins if line.kind == "missing")


def bin_column(
    place: ColumnTable, prebins: Counts, known: Counts, totals: Counts, params: BinningParams
) -> BinnedColumn:
    """Merge a column's pre-bins and fill its table.

    Args:
        place: whose column it is; a table without lines.
        prebins: counts of its pre-bins [n].
        known: of all rows that the owner knows; what is not in ``prebins`` is missing.
        totals: of all rows; what is not in ``known`` is unknown.
        params: of the job.
    """
    ends = merge_bins(prebins, totals, params)
    inside = Counts(prebins.rows.sum(keepdims=True), prebins.events.sum(keepdims=True))
    lines = _lines("values", merged(prebins, ends), totals, params)
    lines += _lines("missing", _less(known, inside), totals, params)
    lines += _lines("unknown", _less(totals, known), totals, params)
    return BinnedColumn(ends, msgspec.structs.replace(place, bins=lines))


def informative(columns: Sequence[BinnedColumn], min_iv: float) -> list[BinnedColumn]:
    """Columns with at least this information value, that with the most first."""
    enough = [column for column in columns if column.table.iv >= min_iv]
    return sorted(enough, key=lambda column: -column.table.iv)


def with_selection(columns: Sequence[BinnedColumn], selected: Sequence[int]) -> list[ColumnTable]:
    """The tables of a party's columns, marked where they were selected."""
    return [
        msgspec.structs.replace(column.table, selected=column.table.column in selected) for column in columns
    ]


def code_column(
    prebins: PreBins, column: int, ends: Integers, woe: Sequence[float], missing: float
) -> CodedColumn:
    """How a column is coded from here on: cut points for bins, and where its missing values belong."""
    cuts, own_bin = prebins.cuts[column], int(prebins.missing[column])
    joined = own_bin <= len(cuts)  # missing values were too few for a bin of their own
    return CodedColumn(
        column=column,
        cuts=cuts[ends[:-1]].tolist(),
        woe=list(woe),
        missing=woe[int(np.searchsorted(ends, own_bin))] if joined else missing,
    )


def _less(whole: Counts, part: Counts) -> Counts:
    return Counts(whole.rows - part.rows, whole.events - part.events)


def _lines(
    kind: Literal["values", "missing", "unknown"], bins: Counts, totals: Counts, params: BinningParams
) -> list[BinRow]:
    """Lines of one kind; none where there is no row that is missing, or unknown."""
    if kind != "values" and not bins.rows.any():
        return []
    woe = weight_of_evidence(bins, totals, params.min_events)
    iv = information_value(bins, totals, params.min_events)
    return [
        BinRow(kind=kind, rows=rows, events=events, woe=evidence, iv=value)
        for rows, events, evidence, value in zip(
            bins.rows.tolist(), bins.events.tolist(), woe.tolist(), iv.tolist(), strict=True
        )
    ]
