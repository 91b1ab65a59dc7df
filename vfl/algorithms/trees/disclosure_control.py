"""Disclosure control: a feature party withholds sums of few rows.

A label party knows the gradient of every row. The fewer rows a sum has, the closer it comes to naming the bin
of each; two sums of almost the same rows differ by those few. Where sums are withheld, the party's columns no
longer split the node, its sibling, which the parent's sums would disclose, or any node below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.algorithms.trees.binning import Cuts
from vfl.algorithms.trees.columns import NodeRows
from vfl.arrays import Bins, Bool, Integers
from vfl.errors import NotAllowed, OutOfSequence


@dataclass(frozen=True)
class DisclosurePolicy:
    """How much the owner of columns lets sums disclose. The defaults withhold nothing, as in one process.

    Attributes:
        node_rows: fewest rows of a node whose sums are disclosed.
        histogram_rows: fewest rows of a bin, and of the missing values of a column.
        vector_rows: fewest rows that a tree may have gradients of.
        histograms: in how many nodes with disclosed sums a row may be, over the job; None for any number.
    """

    node_rows: int = 1
    histogram_rows: int = 1
    vector_rows: int = 1
    histograms: int | None = None


@dataclass(frozen=True)
class DisclosureReport:
    """Changes by one feature party's disclosure control in a training. Without any, trees are XGBoost's.

    Attributes:
        coarser: how many columns have fewer bins than were asked for.
        withheld: number of nodes whose sums were not disclosed.
    """

    coarser: int
    withheld: int

    def __bool__(self) -> bool:
        return bool(self.coarser or self.withheld)

    def __str__(self) -> str:
        return f"{self.coarser} columns coarser, sums of {self.withheld} nodes withheld"


def merge_bins(cuts: Cuts, bins: Bins, least: int) -> Cuts:
    """Return the cut points left when bins of too few rows are joined to a neighbour.

    Each joins the one of its neighbours that has more rows, whose sums it changes least. A column with fewer
    known values keeps one bin. Where every bin has enough, none is joined.

    Args:
        cuts: of the columns.
        bins: of the rows to count [rows, columns].
        least: fewest rows of a bin.
    """
    values, counts = [], []
    for feature, n_bins in enumerate(cuts.n_bins.tolist()):
        rows = np.bincount(bins[:, feature], minlength=n_bins + 1)[:n_bins].tolist()
        ends, sizes, held = list[int](), list[int](), 0
        for bin_, count in enumerate(rows):
            held += count
            above = rows[bin_ + 1] if bin_ + 1 < n_bins else -1
            if held >= least or (above < 0 and not ends):
                ends.append(bin_)
                sizes.append(held)
            elif ends and sizes[-1] >= above:
                ends[-1] = bin_
                sizes[-1] += held
            else:
                continue  # it joins the bin above
            held = 0
        values.append(cuts.cut_points(feature)[ends])
        counts.append(len(ends))
    pointers = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    merged = np.concatenate(values) if values else np.zeros(0, dtype=np.float32)
    return Cuts(merged, pointers, cuts.min_values)


def few_missing(bins: Bins, n_bins: Integers, fit: Bool, least: int) -> dict[int, int]:
    """Return for each column with some missing values, but fewer than ``least``, its fullest bin.

    They are counted there, for the difference between a node's total and its bins would tell their sum.
    """
    joined = {}
    for feature, count in enumerate(n_bins.tolist()):
        rows = np.bincount(bins[fit, feature], minlength=count + 1)
        if 0 < rows[count] < least:
            joined[feature] = int(np.argmax(rows[:count]))
    return joined


class DisclosureControl:
    """In how many sums of one training each row has been.

    Args:
        policy: the owner's.
        rows: rows of the job.
        times: in how many sums any row can have been before the job was interrupted.
    """

    def __init__(self, policy: DisclosurePolicy, rows: int, times: int = 0) -> None:
        self._policy = policy
        self._times = np.full(rows, times, dtype=np.int64)

    def open_tree(self, sampled: Bool) -> TreeDisclosure:
        """Begin a tree on some rows; raises NotAllowed where its sums would disclose too much."""
        rows = np.flatnonzero(sampled)
        least = max(self._policy.node_rows, self._policy.vector_rows)
        if 0 < len(rows) < least:
            raise NotAllowed(f"gradients of {len(rows)} rows; this party accepts at least {least}")
        self.count(rows)
        return TreeDisclosure(self, self._policy.node_rows)

    def count(self, rows: Integers) -> None:
        """Count a sum of rows; raises NotAllowed where one would be in more sums than the owner allows."""
        self._times[rows] += 1
        limit = self._policy.histograms
        if limit is not None and len(rows) and int(self._times[rows].max()) > limit:
            raise NotAllowed(
                f"a row would be in more than {limit} sums of one job; this party allows no more"
            )


class TreeDisclosure:
    """Which sums of one tree may be disclosed.

    Args:
        control: of the job.
        node_rows: fewest rows of a node whose sums are disclosed.
    """

    def __init__(self, control: DisclosureControl, node_rows: int) -> None:
        self._control, self._node_rows = control, node_rows
        self._withheld: set[int] = set()
        self._requested: set[int] = set()

    def split(self, node: int, left: int) -> None:
        """Record that a node is split: children of a withheld node are withheld too."""
        if node in self._withheld:
            self._withheld |= {left, left + 1}

    def tells(self, left: int, nodes: NodeRows) -> bool:
        """Return whether the sums of the children ``left`` and ``left + 1`` may be disclosed, and count them.

        Both or none: the parent's sums and one child's give the other's.

        Raises:
            OutOfSequence: they were requested before.
            NotAllowed: a row has been in as many sums as the owner allows.
        """
        if left in self._requested:
            raise OutOfSequence(f"the sums of node {left} or its sibling were asked for before")
        self._requested.add(left)
        children = [nodes.sampled(child) for child in (left, left + 1)]
        if left in self._withheld or any(0 < len(rows) < self._node_rows for rows in children):
            self._withheld |= {left, left + 1}
            return False
        for rows in children:
            self._control.count(rows)
        return True
