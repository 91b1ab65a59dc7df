"""The grower's conversation with the owners of columns about one tree: order and content of requests.

A level costs one call to each feature party that has something to answer. Where there are several, those
whose columns split nodes are first asked for directions, since the others need them before they can sum.
Calls of one step go out in parallel.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np

from vfl.algorithms.trees.columns import (
    ColumnOwner,
    Direction,
    LevelReply,
    LevelRequest,
    NodeRows,
    OwnerNodes,
    Split,
)
from vfl.arrays import Bool, Float64, Integers
from vfl.errors import MalformedMessage

OwnerSums = list[Float64]  # of one node: by owner, the sums over its columns of this tree
OwnedSplit = tuple[int, Split]  # the owner of the column, and the split


class LevelCoordinator:
    """One tree's calls to its owners, and where every owner's rows are.

    Args:
        owners: the label party's own columns first.
        columns: by owner, its drawn columns (own numbers); an owner with none gets no request for sums.
        sampled: bool [n], the label party's rows that enter sums.
        pool: makes the calls of one step at once; needs a worker for each owner.

    Attributes:
        leaf_of_row: int64 [n], for each row of the label party the lowest node it has reached.
    """

    def __init__(
        self, owners: Sequence[ColumnOwner], columns: Sequence[Integers], sampled: Bool, pool: Executor
    ) -> None:
        self._owners, self._pool = owners, pool
        self._nodes = [
            OwnerNodes(drawn, NodeRows(sampled[owner.rows_in_label_table]))
            for owner, drawn in zip(owners, columns, strict=True)
        ]
        self._summing = [owner for owner, drawn in enumerate(columns) if len(drawn)]
        self._goes_left = np.zeros(len(sampled), dtype=np.bool_)  # by row of the label party
        self.leaf_of_row = np.zeros(len(sampled), dtype=np.int64)

    def open(self) -> OwnerSums:
        """Start the tree at every owner; returns the root's sums."""
        root: OwnerSums = [np.empty((0, 2)) for _ in self._owners]
        sums = self._pool.map(lambda owner: self._owners[owner].root_sums(self._nodes[owner]), self._summing)
        for owner, owner_sums in zip(self._summing, sums, strict=True):
            root[owner] = owner_sums
        return root

    def split(
        self, splits: list[OwnedSplit], deeper: list[OwnedSplit], parents: dict[int, OwnerSums]
    ) -> dict[int, OwnerSums]:
        """Carry out the splits of a level.

        Args:
            splits: all of them.
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
        early = {owner for owner, _ in splits if owner == 0 or several}
        self._ask({owner: self._request(owner, splits, [], set()) for owner in early})
        # The label party's own columns are summed last if a lone feature party has yet to say how the
        # rows move, and side by side with the feature parties otherwise.
        waits = any(owner not in early for owner, _ in splits)
        replies: dict[int, LevelReply] = {}
        for step in (feature_parties, own) if waits else (self._summing,):
            replies |= self._ask({owner: self._request(owner, splits, deeper, early) for owner in step})
        self._move_rows(splits, deeper)
        return self._child_sums(deeper, parents, replies)

    def _request(
        self, owner: int, splits: list[OwnedSplit], deeper: list[OwnedSplit], early: set[int]
    ) -> LevelRequest:
        """The request to an owner; those in ``early`` have applied their splits."""
        own: list[Direction] = []
        others: list[Direction] = []
        for winner, split in deeper:
            if winner != owner or owner in early:
                move = Direction(split.node, split.left, self._own_directions(owner, split.node))
                (own if winner == owner else others).append(move)
        return LevelRequest(
            splits=[] if owner in early else [split for winner, split in splits if winner == owner],
            directions=others,
            applied=own,
            siblings=[split.left for _, split in deeper],
        )

    def _ask(self, requests: dict[int, LevelRequest]) -> dict[int, LevelReply]:
        """Send the requests in parallel, empty ones excepted, and store the directions from the replies."""
        asked_owners = [owner for owner, request in requests.items() if request]
        answers = self._pool.map(
            lambda owner: self._owners[owner].level(self._nodes[owner], requests[owner]), asked_owners
        )
        replies = dict(zip(asked_owners, answers, strict=True))
        for owner, reply in replies.items():
            for split in requests[owner].splits:
                self._store_directions(owner, split, reply)
        return replies

    def _store_directions(self, owner: int, split: Split, reply: LevelReply) -> None:
        rows = self._nodes[owner].rows[split.node]
        directions = reply.directions.get(split.node)
        if directions is None or directions.shape != rows.shape:
            raise MalformedMessage("Directions do not fit the feature party's rows of the node")
        # Rows that the owner does not have take the default direction.
        self._goes_left[self._nodes[0].rows[split.node]] = split.default_left
        self._goes_left[self._owners[owner].rows_in_label_table[rows]] = directions

    def _own_directions(self, owner: int, node: int) -> Bool:
        rows = self._nodes[owner].rows[node]
        return self._goes_left[self._owners[owner].rows_in_label_table[rows]]

    def _move_rows(self, splits: list[OwnedSplit], deeper: list[OwnedSplit]) -> None:
        for _, split in splits:
            rows = self._nodes[0].rows[split.node]
            self.leaf_of_row[rows] = np.where(self._goes_left[rows], split.left, split.left + 1)
        for _, split in deeper:
            for owner, nodes in enumerate(self._nodes):
                nodes.rows.split(split.node, split.left, self._own_directions(owner, split.node))

    def _child_sums(
        self, deeper: list[OwnedSplit], parents: dict[int, OwnerSums], replies: dict[int, LevelReply]
    ) -> dict[int, OwnerSums]:
        """The sums of both children at every owner: of the smaller one from the replies, of the other by
        subtraction from the parent's."""
        children: dict[int, OwnerSums] = {}
        for _, split in deeper:
            left, right = children[split.left], children[split.left + 1] = [], []
            for owner, parent in enumerate(parents[split.node]):
                child = self._nodes[owner].rows.smaller_child(split.left)
                sums = replies[owner].sums.get(child) if owner in self._summing else parent
                if sums is None or sums.shape != parent.shape:
                    raise MalformedMessage("Sums are not those of the child with fewer rows")
                # Columns whose sums are withheld are as if the owner knew no row of either child.
                hidden = owner in self._summing and child in replies[owner].withheld
                other = sums if hidden else parent - sums
                left.append(sums if child == split.left else other)
                right.append(other if child == split.left else sums)
        return children
