"""Scores from the two kinds of share: a feature party says which way rows go, the label party adds leaves.

XGBoost sends a row left where its value is below the threshold, and starts each margin at that of the
base score, adding leaf values in the order of the trees, all in float32. Margins here are equal to its
margins bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vfl.binning import Columns, check_columns
from vfl.errors import NotAligned
from vfl.loss import LOSSES
from vfl.model import LEAF, FeatureShare, LabelShare, SplitTable, Tree

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

BLOCK_ROWS = 4096  # rows walked through the trees at once: their directions stay in the processor's cache


def split_directions(share: FeatureShare, columns: Columns) -> Bool:
    """Which rows go left at each of a feature party's splits.

    Args:
        share: the party's share.
        columns: float32 [rows, columns of the share], NaN where missing.

    Returns:
        bool [rows, splits].

    Raises:
        DataError: not a float32 table, or an infinite value.
        NotAligned: another number of columns than the share has.
    """
    return _sides(share.splits, len(share.columns), columns).T


def margins(
    share: LabelShare,
    columns: Columns,
    directions: Sequence[Bool] = (),
    known: Sequence[Integers] = (),
) -> Float32:
    """The margins of rows.

    Args:
        share: the label party's share.
        columns: float32 [n, own columns], NaN where missing; own columns may be none.
        directions: by feature party, bool [rows it knows, its splits] from `split_directions`.
        known: by feature party, int64 [rows it knows]: which of the n rows each of them is.

    Returns:
        float32 [n].

    Raises:
        DataError: not a float32 table, or an infinite value.
        NotAligned: columns or directions do not fit the share.
    """
    _check_directions(share, directions, known)
    walks = _walks(share)
    margin = np.full(len(columns), LOSSES[share.params.objective].margin(share.base_score), dtype=np.float32)
    position = [_positions(len(columns), rows) for rows in known]
    defaults = [_defaults(share, owner) for owner in range(1, len(share.owners) + 1)]
    for start in range(0, len(columns), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        own = _sides(share.splits, len(share.columns), columns[block])
        sides = [np.ones((1, own.shape[1]), dtype=np.bool_), own]  # the first row is the leaves'
        for told, at, default in zip(directions, position, defaults, strict=True):
            sides.append(_known_or_default(told, at[block], default))
        together = np.concatenate(sides)
        for walk in walks:
            margin[block] += walk.leaves(together)
    return margin


class _Walk:
    """A tree as arrays by node, its splits numbered over all owners from 1; leaves lead to themselves."""

    def __init__(self, tree: Tree, first_split: Integers) -> None:
        owner, nodes = np.array(tree.owner), np.arange(len(tree.owner))
        is_leaf = owner == LEAF
        self._split = np.where(is_leaf, 0, first_split[owner] + np.array(tree.split))
        self._left = np.where(is_leaf, nodes, np.array(tree.left))
        self._value = np.array(tree.value, dtype=np.float32)
        depth = np.zeros(len(nodes), dtype=np.int64)
        for node in nodes[~is_leaf]:
            depth[tree.left[node] : tree.left[node] + 2] = depth[node] + 1
        self._depth = int(depth.max())

    def leaves(self, sides: Bool) -> Float32:
        """The leaf values of rows; ``sides`` is bool [splits of all owners, rows]."""
        n_rows = sides.shape[1]
        flat, row = sides.reshape(-1), np.arange(n_rows)
        node = np.zeros(n_rows, dtype=np.int64)
        for _ in range(self._depth):
            node = self._left[node] + ~flat[self._split[node] * n_rows + row]
        return self._value[node]


def _walks(share: LabelShare) -> list[_Walk]:
    counts = [1, len(share.splits), *(share.splits_of(k) for k in range(1, len(share.owners) + 1))]
    first_split = np.cumsum(counts)[:-1]
    return [_Walk(tree, first_split) for tree in share.trees]


def _sides(splits: SplitTable, n_columns: int, columns: Columns) -> Bool:
    check_columns(columns)
    if columns.shape[1] != n_columns:
        raise NotAligned(f"{columns.shape[1]} columns given, the model was trained on {n_columns}")
    missing = np.isnan(columns)
    sides = np.empty((len(splits), len(columns)), dtype=np.bool_)
    table = zip(splits.feature, splits.threshold, splits.default_left, strict=True)
    for split, (feature, threshold, default_left) in enumerate(table):
        np.less(columns[:, feature], np.float32(threshold), out=sides[split])
        if default_left:
            sides[split] |= missing[:, feature]
    return sides


def _positions(n_rows: int, known: Integers) -> Integers:
    position = np.full(n_rows, -1, dtype=np.int64)
    position[known] = np.arange(len(known))
    return position


def _defaults(share: LabelShare, owner: int) -> Bool:
    default = np.zeros(share.splits_of(owner), dtype=np.bool_)
    for tree in share.trees:
        for of, split, default_left in zip(tree.owner, tree.split, tree.default_left, strict=True):
            if of == owner:
                default[split] = default_left
    return default


def _known_or_default(told: Bool, position: Integers, default: Bool) -> Bool:
    by_row = np.repeat(default[None, :], len(position), axis=0)
    is_known = position >= 0
    by_row[is_known] = told[position[is_known], : len(default)]
    return by_row.T


def _check_directions(share: LabelShare, directions: Sequence[Bool], known: Sequence[Integers]) -> None:
    if len(directions) != len(share.owners) or len(known) != len(share.owners):
        raise NotAligned(f"The model needs directions from {len(share.owners)} feature parties")
    for number, (name, told, rows) in enumerate(zip(share.owners, directions, known, strict=True), start=1):
        if told.ndim != 2 or len(told) != len(rows) or told.shape[1] < share.splits_of(number):
            raise NotAligned(f"The directions from {name} do not fit the model or the rows asked for")
