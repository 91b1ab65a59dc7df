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

from vfl.algorithms.trees.columns import ColumnOwner, Gradients
from vfl.algorithms.trees.level_coordinator import LevelCoordinator, OwnerSums, SplitDecision
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import LEAF, Tree
from vfl.algorithms.trees.sampling import sample_columns
from vfl.algorithms.trees.splitting import Criterion, Split, Sums, best_split
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
        owners: the label party's own columns (every row known, possibly no column), then each feature
            party's.
        params: training parameters.
        fraction_bits: gradients are integers in units of ``2^-fraction_bits``.
        rng: draws the columns where the parameters ask for column sampling.
        n_splits: by owner, how many splits it has been told before; none by default.

    Attributes:
        n_splits: by owner, how many splits it has been told so far.
    """

    def __init__(
        self,
        owners: Sequence[ColumnOwner],
        params: TreeParams,
        fraction_bits: int,
        rng: np.random.Generator,
        n_splits: Sequence[int] = (),
    ) -> None:
        self.n_splits = list(n_splits) or [0] * len(owners)
        self._owners, self._params, self._rng = owners, params, rng
        self._criterion = Criterion(params, fraction_bits)

    def grow(self, gradients: Gradients) -> GrownTree:
        """Grow the next tree. A root that no split could be allowed in asks nobody anything.

        Raises:
            MalformedMessage: an owner answered with other nodes or other lengths than asked.
        """
        sampled = gradients.sampled
        root = Sums(float(gradients.G[sampled].sum()), float(gradients.H[sampled].sum()))
        features = _Features.draw(self._owners, self._params.colsample_bytree, self._rng)
        nodes = _Nodes([root])
        with ThreadPoolExecutor(max_workers=len(self._owners)) as pool:
            exchange = LevelCoordinator(self._owners, gradients, pool)
            open_nodes = {}
            if self._criterion.can_split(root):
                open_nodes[0] = exchange.open(features.by_owner(len(self._owners)))
            for depth in range(1, self._params.max_depth + 1):
                with span("find splits"):
                    won = self._split(nodes, open_nodes, features)
                deeper = [at for at in won if depth < self._params.max_depth and self._may_grow(at)]
                children = exchange.split(won, deeper, open_nodes)
                open_nodes = {
                    node: sums
                    for node, sums in children.items()
                    if self._criterion.can_split(nodes.sums[node])
                }
        return GrownTree(nodes.tree(self._criterion), exchange.leaf_of_row)

    def _split(
        self, nodes: _Nodes, open_nodes: dict[int, OwnerSums], features: _Features
    ) -> list[SplitDecision]:
        """Find each open node's best split; nodes that have one get their children."""
        of_tree = np.arange(len(features.n_bins))
        of_level = sample_columns(of_tree, self._params.colsample_bylevel, self._rng)
        won = []
        for node, owner_sums in sorted(open_nodes.items()):
            of_node = sample_columns(of_level, self._params.colsample_bynode, self._rng)
            histogram, allowed = features.histogram(owner_sums), np.isin(of_tree, of_node)
            found = best_split(histogram, features.n_bins, nodes.sums[node], allowed, self._criterion)
            if found is None:
                continue
            owner = int(features.owner[found.feature])
            number = self.n_splits[owner]
            self.n_splits[owner] += 1
            won.append(nodes.split(node, owner, number, int(features.own[found.feature]), found))
        return won

    def _may_grow(self, at: SplitDecision) -> bool:
        return self._criterion.can_split(at.found.left) or self._criterion.can_split(at.found.right)


class _Features:
    """The features drawn for a tree: by number, the owner, its own number for it, and its bins."""

    def __init__(self, owner: Integers, own: Integers, n_bins: Integers) -> None:
        self.owner, self.own, self.n_bins = owner, own, n_bins
        self._feature_of_bin = np.repeat(np.arange(len(n_bins)), n_bins)
        starts = np.cumsum(n_bins) - n_bins
        self._bin = np.arange(len(self._feature_of_bin)) - starts[self._feature_of_bin]

    @classmethod
    def draw(cls, owners: Sequence[ColumnOwner], share: float, rng: np.random.Generator) -> _Features:
        counts = [len(owner.n_bins) for owner in owners]
        drawn = sample_columns(np.arange(sum(counts)), share, rng)
        owner = np.repeat(np.arange(len(owners)), counts)
        own = np.concatenate([np.arange(count) for count in counts])
        n_bins = np.concatenate([np.asarray(of.n_bins, dtype=np.int64) for of in owners])
        return cls(owner[drawn], own[drawn], n_bins[drawn])

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
        self._won: dict[int, SplitDecision] = {}

    def split(self, node: int, owner: int, number: int, feature: int, found: Split) -> SplitDecision:
        won = SplitDecision(node, len(self.sums), owner, number, feature, found)
        self.sums += [found.left, found.right]
        self._won[node] = won
        return won

    def tree(self, criterion: Criterion) -> Tree:
        won = [self._won.get(node) for node in range(len(self.sums))]
        G, H = np.array([(sums.G, sums.H) for sums in self.sums]).T
        weight = criterion.weight(G, H)
        leaf = weight * criterion.learning_rate
        return Tree(
            owner=[at.owner if at else LEAF for at in won],
            split=[at.split if at else LEAF for at in won],
            left=[at.left if at else LEAF for at in won],
            default_left=[at is not None and at.found.default_left for at in won],
            value=[float((weight if at else leaf)[node]) for node, at in enumerate(won)],
            gain=[float(at.found.gain) if at else 0.0 for at in won],
            cover=(H * criterion.unit).astype(np.float32).tolist(),
        )
