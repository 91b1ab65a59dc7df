"""The grower's conversation with the owners of columns about one tree: who is asked what, and when.

A level costs one call to each feature party that has something to answer. Where there are several, those
that won a split are first asked for its directions, since the others need them before they can sum.
Calls of one step go out in parallel.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from vfl.algorithms.trees.columns import (
    ColumnOwner,
    Direction,
    Gradients,
    LevelReply,
    LevelRequest,
    NodeRows,
    OwnSplit,
)
from vfl.algorithms.trees.splitting import Split
from vfl.arrays import Bool, Float64, Integers
from vfl.errors import MalformedMessage

OwnerSums = list[Float64]  # of one node: by owner, the sums over its features of this tree


@dataclass(frozen=True)
class SplitDecision:
    """A node that is split, its left child, the winner, its number and own feature for the split."""

    node: int
    left: int
    owner: int
    split: int
    feature: int
    found: Split

    def for_owner(self) -> OwnSplit:
        """The split as its owner is told it."""
        return OwnSplit(
            split=self.split,
            node=self.node,
            left=self.left,
            feature=self.feature,
            bin=self.found.bin,
            default_left=self.found.default_left,
        )


class LevelCoordinator:
    """One tree's calls to its owners, and where every owner's rows are.

    Args:
        owners: the label party's own columns first.
        gradients: what the tree is grown on.
        pool: makes the calls of one step at once; needs a worker for each owner.

    Attributes:
        leaf_of_row: int64 [n], for each row of the label party the lowest node it has reached.
    """

    def __init__(self, owners: Sequence[ColumnOwner], gradients: Gradients, pool: Executor) -> None:
        self._owners, self._gradients, self._pool = owners, gradients, pool
        self._summing: list[int] = []  # owners with a feature in this tree; the others are not asked
        self._rows = [NodeRows(len(owner.known), gradients.sampled[owner.known]) for owner in owners]
        self._goes_left = np.zeros(len(gradients.G), dtype=np.bool_)  # by row of the label party
        self.leaf_of_row = np.zeros(len(gradients.G), dtype=np.int64)

    def open(self, features: Sequence[Integers]) -> OwnerSums:
        """Start the tree on each owner's drawn features (its own numbers); returns the root's sums."""
        self._summing = [owner for owner, drawn in enumerate(features) if len(drawn)]
        root: OwnerSums = [np.empty((0, 2)) for _ in features]
        sums = self._pool.map(
            lambda owner: self._owners[owner].open_tree(self._gradients, features[owner]), self._summing
        )
        for owner, owner_sums in zip(self._summing, sums, strict=True):
            root[owner] = owner_sums
        return root

    def split(
        self, won: list[SplitDecision], deeper: list[SplitDecision], parents: dict[int, OwnerSums]
    ) -> dict[int, OwnerSums]:
        """Carry out the splits of a level.

        Args:
            won: the splits.
            deeper: those of them whose children may be split further.
            parents: sums of the nodes that are split.

        Returns:
            The sums of both children of every split in ``deeper``.

        Raises:
            MalformedMessage: an owner answered with other nodes or other lengths than asked.
        """
        own = [owner for owner in self._summing if owner == 0]
        feature_parties = [owner for owner in self._summing if owner != 0]
        several = len(feature_parties) > 1
        early = {at.owner for at in won if at.owner == 0 or several}
        self._ask({owner: self._request(owner, won, []) for owner in early})
        # The label party's own columns are summed last if a lone feature party has yet to say how the
        # rows move, and side by side with the feature parties otherwise.
        waits = any(at.owner not in early for at in won)
        replies: dict[int, LevelReply] = {}
        for step in (feature_parties, own) if waits else (self._summing,):
            told = {owner: [] if owner in early else won for owner in step}
            replies |= self._ask({owner: self._request(owner, told[owner], deeper) for owner in step})
        self._move_rows(won, deeper)
        return self._child_sums(deeper, parents, replies)

    def _request(self, owner: int, won: list[SplitDecision], deeper: list[SplitDecision]) -> LevelRequest:
        return LevelRequest(
            splits=[at.for_owner() for at in won if at.owner == owner],
            directions=[
                Direction(at.node, at.left, self._own_directions(owner, at.node))
                for at in deeper
                if at.owner != owner
            ],
            siblings=[at.left for at in deeper],
        )

    def _ask(self, requests: dict[int, LevelRequest]) -> dict[int, LevelReply]:
        """Ask owners at once, leaving out those with nothing to answer; notes the directions told."""
        asked = [owner for owner, request in requests.items() if request]
        answers = self._pool.map(lambda owner: self._owners[owner].level(requests[owner]), asked)
        replies = dict(zip(asked, answers, strict=True))
        for owner, reply in replies.items():
            for split in requests[owner].splits:
                self._note_directions(owner, split, reply)
        return replies

    def _note_directions(self, owner: int, split: OwnSplit, reply: LevelReply) -> None:
        rows = self._rows[owner][split.node]
        told = reply.directions.get(split.node)
        if told is None or told.shape != rows.shape:
            raise MalformedMessage("Directions do not fit the feature party's rows of the node")
        # Rows that the owner does not know take the default direction.
        self._goes_left[self._rows[0][split.node]] = split.default_left
        self._goes_left[self._owners[owner].known[rows]] = told

    def _own_directions(self, owner: int, node: int) -> Bool:
        return self._goes_left[self._owners[owner].known[self._rows[owner][node]]]

    def _move_rows(self, won: list[SplitDecision], deeper: list[SplitDecision]) -> None:
        for at in won:
            rows = self._rows[0][at.node]
            self.leaf_of_row[rows] = np.where(self._goes_left[rows], at.left, at.left + 1)
        for at in deeper:
            for owner, rows_of_owner in enumerate(self._rows):
                rows_of_owner.split(at.node, at.left, self._own_directions(owner, at.node))

    def _child_sums(
        self, deeper: list[SplitDecision], parents: dict[int, OwnerSums], replies: dict[int, LevelReply]
    ) -> dict[int, OwnerSums]:
        """The asked child's sums of every owner, and its sibling's by subtraction from the parent's."""
        children: dict[int, OwnerSums] = {}
        for at in deeper:
            left, right = children[at.left], children[at.left + 1] = [], []
            for owner, parent in enumerate(parents[at.node]):
                child = self._rows[owner].smaller_child(at.left)
                sums = replies[owner].sums.get(child) if owner in self._summing else parent
                if sums is None or sums.shape != parent.shape:
                    raise MalformedMessage("Sums are not those of the child with fewer rows")
                # Columns whose sums are withheld are as if the owner knew no row of either child.
                hidden = owner in self._summing and child in replies[owner].withheld
                other = sums if hidden else parent - sums
                left.append(sums if child == at.left else other)
                right.append(other if child == at.left else sums)
        return children
