"""Grow the trees of a model, level by level, over the columns of several owners.

The grower is the label party's: it alone sees gradients, sums and gains. Features are numbered the label
party's first, then each feature party's in order; ties fall to the lower number. Nodes are numbered as
XGBoost does: the nodes of a level are split in ascending order, each taking the next two numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vfl.algorithms.trees.columns import ColumnOwner, Gradients, Split
from vfl.algorithms.trees.level_coordinator import LevelCoordinator, OwnedSplit, OwnerSums
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import LEAF, Tree
from vfl.algorithms.trees.sampling import sample_columns
from vfl.algorithms.trees.splitting import Candidate, Criterion, Sums, best_split
from vfl.arrays import Float64, Integers
from vfl.trace import span


@dataclass(frozen=True)
class GrownTree:
    """A tree, and for every row of the label party the leaf that it ends in (int64 [n])."""

    tree: Tree
    leaf_of_row: Integers


class Grower:
    """Grows the trees of one model, one after the other.

    Args:
        params: training parameters.
        fraction_bits: gradients are integers in units of ``2^-fraction_bits``.
        rng: draws the columns where the parameters ask for column sampling.
        splits: by owner, those of the trees grown before, the label party's own first.

    Attributes:
        splits: by owner, all splits by its columns so far, in order of their numbers.
    """

    def __init__(
        self,
        params: TreeParams,
        fraction_bits: int,
        rng: np.random.Generator,
        splits: Sequence[Sequence[Split]],
    ) -> None:
        self.splits = [list(of_owner) for of_owner in splits]
        self._params, self._rng = params, rng
        self._criterion = Criterion(params, fraction_bits)

    def grow(self, gradients: Gradients, owners: Sequence[ColumnOwner]) -> GrownTree:
        """Grow the next tree. Where no split of the root can be allowed, no owner is asked anything.

        Args:
            gradients: of the tree.
            owners: the label party's own columns (all of its rows, possibly no column), then each feature
                party's.

        Raises:
            MalformedMessage: an owner answered with other nodes or other lengths than asked.
        """
        sampled = gradients.sampled
        root = Sums(float(gradients.G[sampled].sum()), float(gradients.H[sampled].sum()))
        features = _Features.draw(owners, self._params.colsample_bytree, self._rng)
        nodes = _Nodes([root])
        with ThreadPoolExecutor(max_workers=len(owners)) as pool:
            coordinator = LevelCoordinator(owners, features.by_owner(len(owners)), sampled, pool)
            open_nodes = {0: coordinator.open()} if self._criterion.can_split(root) else {}
            for depth in range(1, self._params.max_depth + 1):
                with span("find splits"):
                    level = self._split(nodes, open_nodes, features)
                deeper = [
                    (owner, split)
                    for owner, split in level
                    if depth < self._params.max_depth and self._may_grow(nodes, split)
                ]
                children = coordinator.split(level, deeper, open_nodes)
                open_nodes = {
                    node: sums
                    for node, sums in children.items()
                    if self._criterion.can_split(nodes.sums[node])
                }
        return GrownTree(nodes.tree(self._criterion), coordinator.leaf_of_row)

    def _split(
        self, nodes: _Nodes, open_nodes: dict[int, OwnerSums], features: _Features
    ) -> list[OwnedSplit]:
        """Find each open node's best split; nodes that have one get their children."""
        of_tree = np.arange(len(features.n_bins))
        of_level = sample_columns(of_tree, self._params.colsample_bylevel, self._rng)
        level = []
        for node, owner_sums in sorted(open_nodes.items()):
            of_node = sample_columns(of_level, self._params.colsample_bynode, self._rng)
            histogram, allowed = features.histogram(owner_sums), np.isin(of_tree, of_node)
            best = best_split(histogram, features.n_bins, nodes.sums[node], allowed, self._criterion)
            if best is None:
                continue
            owner = int(features.owner[best.feature])
            split = Split(
                split=len(self.splits[owner]),
                node=node,
                left=len(nodes.sums),
                column=int(features.own[best.feature]),
                bin=best.bin,
                default_left=best.default_left,
            )
            self.splits[owner].append(split)
            nodes.split(owner, split, best)
            level.append((owner, split))
        return level

    def _may_grow(self, nodes: _Nodes, split: Split) -> bool:
        return any(self._criterion.can_split(nodes.sums[child]) for child in (split.left, split.left + 1))


class _Features:
    """The features drawn for a tree: by number, the owner, its own number for it, and its bins."""

    def __init__(self, owner: Integers, own: Integers, n_bins: Integers) -> None:
        self.owner, self.own, self.n_bins = owner, own, n_bins
        self._feature_of_bin = np.repeat(np.arange(len(n_bins)), n_bins)
        starts = np.cumsum(n_bins) - n_bins
        self._bin = np.arange(len(self._feature_of_bin)) - starts[self._feature_of_bin]

    @classmethod
    def draw(cls, owners: Sequence[ColumnOwner], fraction: float, rng: np.random.Generator) -> _Features:
        counts = [len(owner.n_bins) for owner in owners]
        drawn = sample_columns(np.arange(sum(counts)), fraction, rng)
        owner_of = np.repeat(np.arange(len(owners)), counts)
        own = np.concatenate([np.arange(count) for count in counts])
        n_bins = np.concatenate([np.asarray(owner.n_bins, dtype=np.int64) for owner in owners])
        return cls(owner_of[drawn], own[drawn], n_bins[drawn])

    def by_owner(self, n_owners: int) -> list[Integers]:
        """Each owner's drawn features, in its own numbers, ascending."""
        return [self.own[self.owner == owner] for owner in range(n_owners)]

    def histogram(self, owner_sums: OwnerSums) -> Float64:
        """The owners' sums side by side: float64 [features, most bins, 2]."""
        histogram = np.zeros((len(self.n_bins), int(self.n_bins.max(initial=0)), 2))
        histogram[self._feature_of_bin, self._bin] = np.concatenate(owner_sums)
        return histogram


class _Nodes:
    """The tree under construction: sums of every node, and the splits made."""

    def __init__(self, sums: list[Sums]) -> None:
        self.sums = sums
        self._splits: dict[int, tuple[int, Split, float]] = {}  # by node: owner, split, gain

    def split(self, owner: int, split: Split, best: Candidate) -> None:
        self.sums += [best.left, best.right]
        self._splits[split.node] = owner, split, float(best.gain)

    def tree(self, criterion: Criterion) -> Tree:
        splits = [self._splits.get(node) for node in range(len(self.sums))]
        G, H = np.array([(sums.G, sums.H) for sums in self.sums]).T
        weight = criterion.weight(G, H)
        leaf = weight * criterion.learning_rate
        return Tree(
            owner=[inner[0] if inner else LEAF for inner in splits],
            split=[inner[1].split if inner else LEAF for inner in splits],
            left=[inner[1].left if inner else LEAF for inner in splits],
            default_left=[inner is not None and inner[1].default_left for inner in splits],
            value=[float((weight if inner else leaf)[node]) for node, inner in enumerate(splits)],
            gain=[inner[2] if inner else 0.0 for inner in splits],
            cover=(H * criterion.unit).astype(np.float32).tolist(),
        )
