"""Scores from the two kinds of part: a feature party says which way rows go, the label party adds leaves.

XGBoost sends a row left where its value is below the threshold, and starts each margin at that of the
base score, adding leaf values in the order of the trees, all in float32. Margins here are equal to its
margins bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from vfl.algorithms.trees.export import with_directions
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.parts import LEAF, SplitTable, Tree, TreesFeaturePart, TreesLabelPart
from vfl.algorithms.trees.tree_shap import Contributions
from vfl.arrays import Bool, Float32, Float64, Floats, Integers, check_columns
from vfl.errors import NotAligned
from vfl.model.predictor import Answers, Predictor

TURNED_ROWS = 32
BLOCK_CELLS = 2**15  # rows by trees, or by splits, worked on at once: they stay in the processor's cache


def split_directions(part: TreesFeaturePart, columns: Float32) -> Bool:
    """Which rows go left at each of a feature party's splits.

    Args:
        part: the party's part of the model.
        columns: float32 [rows, columns of the part], NaN where missing.

    Returns:
        bool [rows, splits].

    Raises:
        DataError: not a float32 table, or an infinite value.
        NotAligned: another number of columns than the part has.
    """
    return _Splits(part.splits, len(part.columns)).directions(columns)


class TreesPredictor(Predictor):
    """The label party's part of boosted trees, made ready to score.

    What it gathers of rows are their sides: at which splits they go left. Rows that a feature party does not
    know, or did not answer for, go its splits' default directions.
    """

    def __init__(self, part: TreesLabelPart) -> None:
        self._part = part
        self._owners = part.owners
        self._own = _Splits(part.splits, len(part.columns))
        self._defaults = [_defaults(part, owner) for owner in range(1, len(part.owners) + 1)]
        counts = [1, len(part.splits), *map(len, self._defaults)]
        self._first_split = np.cumsum([0, *counts])
        self._forest = _Forest(part.trees, self._first_split[1:-1])
        self._loss = LOSSES[part.params.objective]
        self._base_margin = self._loss.margin(part.base_score)

    def gather(self, columns: Float32, answers: Sequence[Answers | None], known: Sequence[Integers]) -> Bool:
        """On which side of every split rows lie.

        Returns:
            bool [splits of all owners + 1, n], True for left: first a line of True, where leaves point to,
            then the label party's splits, then each feature party's.
        """
        if len(answers) != len(self._owners) or len(known) != len(self._owners):
            raise NotAligned(f"The model needs directions from {len(self._owners)} feature parties")
        sides = np.empty((self._first_split[-1], len(columns)), dtype=np.bool_)
        sides[0] = True
        _turn(self._own.directions(columns), sides[1 : self._first_split[2]])
        starts = self._first_split[2:-1]
        parties = zip(self._owners, starts, self._defaults, answers, known, strict=True)
        for name, start, default, directions, rows in parties:
            by_row = np.repeat(default[None, :], len(columns), axis=0)
            if directions is not None and directions.shape != (len(rows), len(default)):
                raise NotAligned(f"The directions from {name} do not fit the model or the rows asked for")
            if directions is not None:
                by_row[rows] = directions
            _turn(by_row, sides[start : start + len(default)])
        return sides

    def margins(self, gathered: Answers) -> Float32:
        """The margins float32 [n] of rows, from their sides."""
        return self._forest.margins(gathered, self._base_margin)

    def scores(self, margins: Floats) -> Float32:
        return self._loss.transform(margins.astype(np.float32, copy=False))

    def contributions(self, gathered: Answers) -> tuple[Float64, float]:
        """Contributions of columns, see `vfl.algorithms.trees.tree_shap`; raises as its class does."""
        return self._contributions.contributions(gathered)

    def reference_predictions(
        self, columns: Float32, answers: Sequence[Answers], known: Sequence[Integers]
    ) -> Float32:
        """XGBoost's predictions on own columns and direction bits, see `with_directions`."""
        parts = [columns]
        for left, rows in zip(answers, known, strict=True):
            bits = np.full((len(columns), left.shape[1]), np.nan, dtype=np.float32)
            bits[rows] = ~left
            parts.append(bits)
        import xgboost  # noqa: PLC0415  it takes seconds, and most commands need none

        is_logistic = self._part.params.objective == "binary:logistic"
        model = xgboost.XGBClassifier() if is_logistic else xgboost.XGBRegressor()
        model.load_model(bytearray(with_directions(self._part)))
        table = np.hstack(parts)
        predicted: Float32 = model.predict_proba(table)[:, 1] if is_logistic else model.predict(table)
        return predicted

    @cached_property
    def _contributions(self) -> Contributions:
        return Contributions(self._part)


class _Splits:
    """The splits of one owner as arrays."""

    def __init__(self, splits: SplitTable, n_columns: int) -> None:
        self._n_columns = n_columns
        self._feature = np.array(splits.feature, dtype=np.int64)
        self._threshold = np.array(splits.threshold, dtype=np.float32)
        self._default_left = np.array(splits.default_left, dtype=np.bool_)

    def directions(self, columns: Float32) -> Bool:
        """Which rows go left, bool [rows, splits]; raises as `split_directions` does."""
        check_columns(columns)
        if columns.shape[1] != self._n_columns:
            raise NotAligned(f"{columns.shape[1]} columns given, the model was trained on {self._n_columns}")
        go_left = np.empty((len(columns), len(self._feature)), dtype=np.bool_)
        for rows in _blocks(len(columns), len(self._feature)):
            values = columns[rows].take(self._feature, axis=1)
            missing = np.isnan(values)
            missing &= self._default_left
            np.less(values, self._threshold, out=go_left[rows])
            go_left[rows] |= missing
        return go_left


class _Forest:
    """All trees as one list of nodes, each pointing to a line of `Predictor.gather`.

    A row at a node moves to ``_right[node]``, or to the node before it where it goes left. A leaf points to
    the line of True, and its right neighbour is not looked at: a row stays in its leaf.
    """

    def __init__(self, trees: Sequence[Tree], first_split: Integers) -> None:
        starts = np.cumsum([0, *(len(tree.owner) for tree in trees)])
        self._roots = starts[:-1, None]
        owner, split, left = (
            np.array([entry for tree in trees for entry in getattr(tree, field)], dtype=np.int64)
            for field in ("owner", "split", "left")
        )
        is_leaf = owner == LEAF
        self._side = np.where(is_leaf, 0, first_split[owner] + split)
        tree_start = np.repeat(self._roots[:, 0], np.diff(starts))
        self._right = np.where(is_leaf, np.arange(len(owner)), tree_start + left) + 1
        self._value = np.array([value for tree in trees for value in tree.value], dtype=np.float32)
        self._depth = max(map(_depth, trees), default=0)

    def margins(self, sides: Bool, base_margin: np.float32) -> Float32:
        """The base margin plus the leaf of each tree, in the order of the trees."""
        margins = np.empty(sides.shape[1], dtype=np.float32)
        for rows in _blocks(len(margins), len(self._roots)):
            row = np.arange(rows.stop - rows.start)
            flat, line = sides[:, rows].reshape(-1), self._side * len(row)
            node = np.repeat(self._roots, len(row), axis=1)
            for _ in range(self._depth):
                node = self._right[node] - flat[line[node] + row]
            terms = np.concatenate([np.full((1, len(row)), base_margin), self._value[node]])
            margins[rows] = np.add.accumulate(terms)[-1]  # one after the other: a sum would go by pairs
        return margins


def _blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Slices of so many rows that rows times width stay in the processor's cache.

    The number is odd: lines of a power of two of bytes would all compete for the same places of it.
    """
    step = BLOCK_CELLS // max(1, width) | 1
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def _turn(by_row: Bool, by_split: Bool) -> None:
    """Copy bool [rows, splits] into bool [splits, rows], in steps whose lines the cache can hold."""
    for start in range(0, len(by_row), TURNED_ROWS):
        rows = slice(start, start + TURNED_ROWS)
        by_split[:, rows] = by_row[rows].T


def _depth(tree: Tree) -> int:
    depth = [0] * len(tree.owner)
    for node, left in enumerate(tree.left):  # children come after their parents
        if tree.owner[node] != LEAF:
            depth[left] = depth[left + 1] = depth[node] + 1
    return max(depth)


def _defaults(part: TreesLabelPart, owner: int) -> Bool:
    default = np.zeros(part.splits_of(owner), dtype=np.bool_)
    for tree in part.trees:
        for split_owner, split, default_left in zip(tree.owner, tree.split, tree.default_left, strict=True):
            if split_owner == owner:
                default[split] = default_left
    return default
