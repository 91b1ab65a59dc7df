"""The two parts that boosted trees consist of.

A label party's part holds the shape of every tree, the leaf values and the thresholds of its own
columns; a split by a feature party's column is there a bare reference. That party's part holds the column
and threshold behind each reference and knows no tree. No part scores alone (unless every split is by the
label party's columns).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from vfl.algorithms.trees.binning import Cuts
from vfl.algorithms.trees.columns import Split
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import StateError

VERSION = 3
LEAF = -1  # owner, split and left child of a leaf


class SplitTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The splits of one owner, in the order in which they were made; lists of one length.

    A row goes left where its value in column ``feature[i]`` is below ``threshold[i]`` (a float32), or is
    missing and ``default_left[i]``.
    """

    feature: list[int]
    threshold: list[float]
    default_left: list[bool]

    def __post_init__(self) -> None:
        _check(len(self.feature) == len(self.threshold) == len(self.default_left), "uneven split table")
        _check(all(map(math.isfinite, self.threshold)), "threshold that is not finite")
        _check(min(self.feature, default=0) >= 0, "negative column number")

    def __len__(self) -> int:
        return len(self.feature)

    def first(self, count: int) -> SplitTable:
        """The first ``count`` splits: what is left of the table when later trees are dropped."""
        return SplitTable(
            feature=self.feature[:count],
            threshold=self.threshold[:count],
            default_left=self.default_left[:count],
        )


def split_table(splits: Sequence[Split], cuts: Cuts) -> SplitTable:
    """Return splits with the thresholds that their bins stand for.

    Args:
        splits: by columns of one owner, in order of their numbers.
        cuts: cut points of that owner's columns.
    """
    return SplitTable(
        feature=[split.column for split in splits],
        threshold=[cuts.threshold(split.column, split.bin) for split in splits],
        default_left=[split.default_left for split in splits],
    )


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tree as lists with an entry a node, numbered as XGBoost numbers them (node 0 is the root).

    Attributes:
        owner: 0 for the label party, k for the k-th feature party, -1 for a leaf.
        split: position in that owner's `SplitTable`, -1 for a leaf.
        left: the child of rows that go left, the other child being ``left + 1``; -1 for a leaf.
        default_left: where rows go that the owner does not know; False for a leaf.
        value: what a leaf adds to the margin; at other nodes the weight before the learning rate.
        gain: XGBoost's ``loss_chg``; 0 for a leaf.
        cover: sum of hessians.

    ``value``, ``gain`` and ``cover`` are float32 numbers.
    """

    owner: list[int]
    split: list[int]
    left: list[int]
    default_left: list[bool]
    value: list[float]
    gain: list[float]
    cover: list[float]

    def __post_init__(self) -> None:
        fields = (self.owner, self.split, self.left, self.default_left, self.value, self.gain, self.cover)
        n = len(self.owner)
        _check(n > 0 and all(len(field) == n for field in fields), "uneven tree")
        _check(all(map(math.isfinite, self.value)), "leaf value that is not finite")
        inner = [node for node in range(n) if self.owner[node] != LEAF]
        children = [child for node in inner for child in (self.left[node], self.left[node] + 1)]
        _check(all(self.left[node] > node for node in inner), "child before its parent")
        _check(sorted(children) == list(range(1, n)), "node without exactly one parent")
        _check(all(self.owner[node] >= 0 and self.split[node] >= 0 for node in inner), "negative reference")


class TreesFeaturePart(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="trees"
):
    """A feature party's part of a model: its column names, and the splits it is asked about by number."""

    version: int = VERSION
    columns: list[str]
    splits: SplitTable

    def __post_init__(self) -> None:
        _check_table(self.version, self.columns, self.splits)

    @property
    def features(self) -> list[str]:
        """Columns whose contributions may be reported: all of them."""
        return self.columns

    @property
    def outputs(self) -> int:
        """How many numbers it says of a row: a bit for each split."""
        return len(self.splits)


class TreesPeer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature party's columns as the label party knows them.

    Attributes:
        shown: by column its name, or "" where the party does not show it.
        split_column: by split of the party, the number of its column.
    """

    shown: list[str]
    split_column: list[int]

    def __post_init__(self) -> None:
        _check(all(0 <= column < len(self.shown) for column in self.split_column), "split on no column")

    @property
    def outputs(self) -> int:
        """How many numbers it says of a row: a bit for each split."""
        return len(self.split_column)


class TreesLabelPart(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="trees"
):
    """The label party's part of a model.

    Attributes:
        version: version of this form.
        params: the parameters it was trained with, the objective among them.
        base_score: the prediction before the first tree (a probability for ``binary:logistic``).
        columns: names of the label party's own columns.
        owners: names of the feature parties; a tree's owner k is ``owners[k - 1]``.
        peers: their columns, in the order of ``owners``.
        splits: the label party's own splits.
        trees: in the order in which they were grown.
        best_iteration: number of the best round where validation rows were watched, else None.
    """

    version: int = VERSION
    params: TreeParams
    base_score: float
    columns: list[str]
    owners: list[str]
    peers: list[TreesPeer]
    splits: SplitTable
    trees: list[Tree]
    best_iteration: int | None = None

    def __post_init__(self) -> None:
        _check_table(self.version, self.columns, self.splits)
        _check(len(self.peers) == len(self.owners), "not as many peers as owners")
        for tree in self.trees:
            _check(max(tree.owner) <= len(self.owners), "tree of an unknown owner")
            own = [split for owner, split in zip(tree.owner, tree.split, strict=True) if owner == 0]
            _check(max(own, default=-1) < len(self.splits), "reference past the split table")
        for owner, peer in enumerate(self.peers, start=1):
            _check(len(peer.split_column) == self.splits_of(owner), "another number of splits than columns")

    @property
    def objective(self) -> str:
        """XGBoost's name of what was minimised."""
        return self.params.objective

    @property
    def features(self) -> list[str]:
        """What the label party tells contributions of: its columns."""
        return self.columns

    def splits_of(self, owner: int) -> int:
        """How many splits the trees ask of an owner (0 for the label party): its table's least length."""
        references = (
            split
            for tree in self.trees
            for winner, split in zip(tree.owner, tree.split, strict=True)
            if winner == owner
        )
        return max(references, default=-1) + 1


def _check_table(version: int, columns: list[str], splits: SplitTable) -> None:
    _check(version == VERSION, f"version {version}, this release reads version {VERSION}")
    _check(max(splits.feature, default=-1) < len(columns), "split on an unknown column")


def _check(holds: bool, mistake: str) -> None:
    if not holds:
        raise StateError(f"Damaged model part ({mistake}): restore it from a copy or train again")
