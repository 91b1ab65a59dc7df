"""The feature party's side of trees: sums on ciphertexts, and the splits by its columns.

A job is opened; then trees follow one another, each of which first receives ciphertexts and then grows; at
last the party keeps its part of the model. What it needs from disk comes through a
`vfl.aggregation.store.FeatureStore`.
"""

from __future__ import annotations

import numpy as np

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.aggregation.ciphertext_stream import CiphertextReceiver
from vfl.aggregation.store import FeatureStore, open_rows
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import Direction
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.feature_columns import FeatureColumns
from vfl.algorithms.trees.feature_party_job import FeatureJob
from vfl.algorithms.trees.feature_party_tree import FeatureTree
from vfl.algorithms.trees.training_journal import TreeJournal
from vfl.errors import MalformedMessage, OutOfRange
from vfl.wire.message import Column
from vfl.wire.worker import Answer, Ended, Phase, Worker, answers

NO_POLICY = DisclosurePolicy()


class TrainingWorker(Worker):
    """Answers one training job.

    Args:
        store: this party's alignments, columns and parts.
        show_columns: whether the label party learns the names of this party's columns.
        policy: what is withheld.
    """

    def __init__(
        self, store: FeatureStore, *, show_columns: bool = False, policy: DisclosurePolicy = NO_POLICY
    ) -> None:
        super().__init__(Opening(store, show_columns, policy))


class Opening(Phase):
    """Before the first message."""

    def __init__(self, store: FeatureStore, show_columns: bool, policy: DisclosurePolicy) -> None:
        self._store, self._show_columns, self._policy = store, show_columns, policy

    @answers(m.OpenTraining)
    def open(self, request: m.OpenTraining) -> Answer:
        names, columns = open_rows(self._store, request.alignment, request.fingerprint)
        fit, watch = (from_bitmap(rows, len(columns)) for rows in (request.fit_rows, request.watch_rows))
        if not fit.any() or (fit & watch).any():
            raise MalformedMessage("a job needs fit rows, and none of them may be a watch row")
        if request.packed_rows < np.count_nonzero(fit):
            raise OutOfRange("the job packs fewer rows than it fits")
        least = self._policy.histogram_rows
        table = FeatureColumns.prepare(names, columns, fit, watch, max_bin=request.max_bin, least=least)
        job = FeatureJob(self._store, request, table, self._policy)
        shown = names if self._show_columns else [""] * len(names)
        described = [Column(name, int(bins)) for name, bins in zip(shown, table.n_bins, strict=True)]
        return m.TrainingOpened(described, table.coarser), Ready(job)


class Ready(Phase):
    """A tree may begin, or the job end."""

    def __init__(self, job: FeatureJob) -> None:
        self._job = job

    @answers(m.OpenTree)
    def open_tree(self, request: m.OpenTree) -> Answer:
        tree, journal = self._job.open_tree(request)
        return m.TreeOpened(tree.rows), Receiving(self._job, tree, journal)

    @answers(m.CloseTraining)
    def close(self, request: m.CloseTraining) -> Answer:
        return m.TrainingClosed(self._job.keep(request.trees)), Ended()


class Receiving(Phase):
    """The ciphertexts of a tree come."""

    def __init__(self, job: FeatureJob, tree: FeatureTree, journal: TreeJournal) -> None:
        self._job, self._tree, self._journal = job, tree, journal
        self._receiver = CiphertextReceiver(job.public_key, tree.rows, tree.store)

    @answers(m.Gradients)
    def receive(self, request: m.Gradients) -> Answer:
        return m.GradientsTaken(self._receiver.receive(request)), self

    @answers(m.SumRoot)
    def sum_root(self, request: m.SumRoot) -> Answer:
        self._receiver.check_complete()
        self._journal.keep([])
        root = m.NodeSums(0, self._tree.sums(0))
        return m.LevelGrown([], [root]), Growing(self._job, self._tree, self._journal)


class Growing(Ready):
    """The tree grows level by level; the next one may begin, or the job end."""

    def __init__(self, job: FeatureJob, tree: FeatureTree, journal: TreeJournal) -> None:
        super().__init__(job)
        self._tree, self._journal = tree, journal

    @answers(m.GrowLevel)
    def grow_level(self, request: m.GrowLevel) -> Answer:
        tree = self._tree
        self._journal.check(request)
        directions = [
            m.Directions(split.node, split.left, to_bitmap(tree.apply(split))) for split in request.splits
        ]
        for move in request.directions:
            go_left = from_bitmap(move.go_left, tree.rows_of(move.node, move.left))
            tree.move(Direction(move.node, move.left, go_left))
        allowed = tree.allowed_siblings(request.siblings)
        self._journal.keep(self._job.last_splits(len(request.splits)))
        sums = []
        for left in request.siblings:
            child = tree.smaller_child(left)
            sums.append(m.NodeSums(child, tree.sums(child) if left in allowed else b""))
        return m.LevelGrown(directions, sums), self
