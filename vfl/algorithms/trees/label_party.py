"""The label party's side of trees: it grows them, keeps the leaves, and asks the others as it goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vfl.aggregation.bitmap import to_bitmap
from vfl.aggregation.encrypted_rows import encrypted_pairs, randomness_ahead
from vfl.aggregation.row_order import common_order
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.checkpoint import Checkpoint
from vfl.algorithms.trees.columns import Gradients, LocalColumns
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.algorithms.trees.grower import Grower
from vfl.algorithms.trees.importance import mean_gains
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import SplitTable, Tree, TreesLabelPart, TreesPeer
from vfl.algorithms.trees.remote_party import RemoteColumns
from vfl.algorithms.trees.sampling import goss_factor, sample_rows
from vfl.algorithms.trees.stopping import EarlyStopping
from vfl.arrays import Bool, Float32
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile
from vfl.errors import DataError
from vfl.psi.alignment import Alignment
from vfl.wire.session import LabelSession

Progress = Callable[[int, int, str], None]
Ahead = Callable[[threading.Event], None]
Keep = Callable[[Checkpoint], None]


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves at the label party.

    Attributes:
        share: the label party's share of the model.
        history: the watched metric after each tree; empty without watch rows.
        importances: XGBoost's ``importance_type="gain"``: by feature its mean gain over the splits it won,
            all features summing to 1. A feature party's columns are ``party.name``, or ``party.number``
            where it does not show names.
        guarded: by feature party, what its guard changed; after a resumption in the trees since.
    """

    part: TreesLabelPart
    history: list[float]
    importances: dict[str, float]
    guarded: dict[str, DisclosureReport]


def train(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    table: LabelTable,
    params: TreeParams,
    private_key: PrivateKey,
    *,
    model_id: str,
    watch: Bool | None = None,
    profile: Profile = "short",
    on_progress: Progress = lambda done, total, what: None,
    resume: Checkpoint | None = None,
    keep: Keep = lambda checkpoint: None,
) -> TrainingResult:
    """Train boosted trees with feature parties; they grow as XGBoost would grow them on pooled columns.

    Args:
        sessions: a new conversation with each feature party, in the order in which columns are numbered.
        alignments: by the same names.
        table: labels and own columns; its rows all take part, aligned or not.
        params: XGBoost's parameters.
        private_key: the label party's Paillier key.
        model_id: name under which every party keeps its share.
        watch: bool [n]; rows kept out of training on which early stopping is judged.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        on_progress: called with (trees done, trees at most, what happened).
        resume: where a training that was broken off stood; all other arguments are those it had.
        keep: called with where the training stands after each tree, before the next one begins.

    Raises:
        DataError: the labels do not fit the objective.
        NotAligned: the table lacks a customer of an alignment.
        PeerError: a feature party failed or sent something that cannot be accepted.
    """
    watched = np.zeros(len(table.labels), dtype=np.bool_) if watch is None else watch
    job = _Training(
        sessions, alignments, table, params, private_key=private_key, watch=watched, profile=profile
    )
    on_progress(len(resume.trees) if resume else 0, params.n_estimators, "opening")
    with randomness_ahead(job.encryptor, job.rows_encrypted) as ahead:
        job.open(model_id, alignments, resume, ahead)
        return job.grow(resume, keep, ahead, on_progress)


class _Training:
    """The state of one training job."""

    def __init__(
        self,
        sessions: Mapping[str, LabelSession],
        alignments: Mapping[str, Alignment],
        table: LabelTable,
        params: TreeParams,
        *,
        private_key: PrivateKey,
        watch: Bool,
        profile: Profile,
    ) -> None:
        self._table, self._params, self._peers = table, params, list(sessions)
        self._watch, self._fit = watch, ~watch
        self._loss = LOSSES[params.objective]
        self._loss.check_labels(table.labels)
        if not self._fit.any():
            raise DataError("there is no row to train on: every row is kept for validation")
        self._base_score = self._first_score()
        self._packing = self._bounds()
        self.encryptor = Encryptor(private_key, profile)
        decryptor, public_key = Decryptor(private_key), private_key.public_key
        self._remotes = [
            RemoteColumns(session, table.rows_of(alignments[peer]), public_key, decryptor, self._packing)
            for peer, session in sessions.items()
        ]
        known = [remote.known for remote in self._remotes]
        self._order = common_order(len(watch), known, [alignments[peer] for peer in self._peers])
        self._takers = np.bincount(np.concatenate([np.zeros(0, np.int64), *known]), minlength=len(watch))
        self.rows_encrypted = int(np.count_nonzero(self._fit & (self._takers > 0)))
        self._rng = np.random.default_rng(params.random_state)

    def open(
        self, model_id: str, alignments: Mapping[str, Alignment], resume: Checkpoint | None, ahead: Ahead
    ) -> None:
        """Open the job at every feature party, all at once, and bin this party's own columns meanwhile."""
        openings = [
            m.OpenTraining(
                model=model_id,
                alignment=alignments[peer].id,
                fingerprint=alignments[peer].fingerprint,
                fit_rows=to_bitmap(self._fit[remote.known]),
                watch_rows=to_bitmap(self._watch[remote.known]),
                public_key=self.encryptor.public_key.to_bytes(),
                fraction_bits=self._packing.fraction_bits,
                packed_rows=self._packing.n_rows,
                max_abs_g=self._packing.max_abs_g,
                max_h=self._packing.max_h,
                max_bin=self._params.max_bin,
                max_depth=self._params.max_depth,
                trees=self._params.n_estimators,
                grown=len(resume.trees) if resume else 0,
                splits=len(resume.splits[owner]) if resume else 0,
            )
            for owner, (peer, remote) in enumerate(zip(self._peers, self._remotes, strict=True), start=1)
        ]
        nothing_to_encrypt = threading.Event()
        nothing_to_encrypt.set()
        ahead(nothing_to_encrypt)
        with ThreadPoolExecutor(max(1, len(self._remotes))) as pool:
            opened = pool.map(RemoteColumns.open, self._remotes, openings)
            fit_rows = self._order[self._fit[self._order]]
            self._cuts = cut_points(self._table.columns[fit_rows], self._params.max_bin)
            bins = bin_columns(self._table.columns, self._cuts)
            list(opened)
        self._own = LocalColumns(bins, self._cuts.n_bins)

    def grow(
        self, resume: Checkpoint | None, keep: Keep, ahead: Ahead, on_progress: Progress
    ) -> TrainingResult:
        """Grow every tree that is not there yet, then let the feature parties keep their shares."""
        params, table = self._params, self._table
        owners: list[LocalColumns | RemoteColumns] = [self._own, *self._remotes]
        weights = None if table.weights is None else table.weights[self._watch]
        stopping = EarlyStopping(params, table.labels[self._watch], weights)
        margin = np.full(len(self._fit), self._loss.margin(self._base_score), dtype=np.float32)
        trees: list[Tree] = []
        enough = False
        if resume:
            trees, margin = list(resume.trees), resume.margins()
            resume.restore(self._rng)
            for owner, splits in zip(owners, resume.splits, strict=True):
                owner.splits = list(splits)
            for measured in resume.history:
                enough = stopping.record(measured)
        told = [len(owner.splits) for owner in owners]
        grower = Grower(owners, params, self._packing.fraction_bits, self._rng, told)
        while len(trees) < params.n_estimators and not enough:
            gradients = self._gradients(margin)
            order = self._order[(gradients.sampled & (self._takers > 0))[self._order]]
            encrypted = encrypted_pairs(
                self.encryptor, self._packing, gradients.G, gradients.H, order, self._takers
            )
            for remote in self._remotes:
                remote.next_tree(len(trees), encrypted)
            last = len(trees) + 1 == params.n_estimators
            ahead(threading.Event() if last else encrypted.complete)  # there is nothing to make ahead for
            grown = grower.grow(gradients)
            trees.append(grown.tree)
            margin += np.array(grown.tree.value, dtype=np.float32)[grown.leaf_of_row]
            enough = stopping.take(self._loss.transform(margin[self._watch]))
            won = [owner.splits for owner in owners]
            keep(Checkpoint.take(trees, won, margin, self._rng, stopping.history))
            on_progress(len(trees), params.n_estimators, stopping.latest())
        return self._close(trees, stopping)

    def _first_score(self) -> float:
        if self._params.base_score is not None:
            return self._params.base_score
        weights = None if self._table.weights is None else self._table.weights[self._fit]
        return self._loss.base_score(self._table.labels[self._fit], weights, self._params.scale_pos_weight)

    def _bounds(self) -> GradientPacking:
        """Bounds that every gradient of the job keeps, rounded up to powers of two: they cross the wire."""
        weights = np.ones(1) if self._table.weights is None else self._table.weights
        heaviest = float(weights.max()) * max(1.0, self._params.scale_pos_weight)
        heaviest *= max(1.0, goss_factor(self._params))
        g, h = self._loss.bounds(self._table.labels, self._base_score)
        max_g, max_h = (2.0 ** math.ceil(math.log2(heaviest * bound)) for bound in (g, h))
        n = int(np.count_nonzero(self._fit))
        return GradientPacking(FixedPoint.fraction_bits_for(n, max(max_g, max_h)), n, max_g, max_h)

    def _gradients(self, margin: Float32) -> Gradients:
        table, params = self._table, self._params
        g, h = self._loss.gradients(margin, table.labels, table.weights, params.scale_pos_weight)
        sampled, g, h = sample_rows(self._fit, g, h, params, self._rng)
        fixed = FixedPoint(self._packing.fraction_bits)
        return Gradients(fixed.quantise(g), fixed.quantise(h), sampled)

    def _close(self, trees: list[Tree], stopping: EarlyStopping) -> TrainingResult:
        own, cuts = self._own, self._cuts
        kept = trees[: stopping.trees_kept(len(trees))]
        with ThreadPoolExecutor(max(1, len(self._remotes))) as pool:
            list(pool.map(lambda remote: remote.close(len(kept)), self._remotes))
        splits = SplitTable(
            feature=[split.feature for split in own.splits],
            threshold=[cuts.threshold(split.feature, split.bin) for split in own.splits],
            default_left=[split.default_left for split in own.splits],
        )
        part = TreesLabelPart(
            params=self._params,
            base_score=self._base_score,
            columns=list(self._table.names),
            owners=self._peers,
            peers=[
                TreesPeer(shown=remote.shown, split_column=_columns_won(remote, owner, kept))
                for owner, remote in enumerate(self._remotes, start=1)
            ],
            splits=splits.first(sum(tree.owner.count(0) for tree in kept)),
            trees=kept,
            best_iteration=stopping.best,
        )
        names = [list(self._table.names), *(remote.names for remote in self._remotes)]
        told = [own.splits, *(remote.splits for remote in self._remotes)]
        feature_of = [[split.feature for split in splits] for splits in told]
        guarded = {peer: remote.guarded for peer, remote in zip(self._peers, self._remotes, strict=True)}
        return TrainingResult(part, stopping.history, mean_gains(kept, names, feature_of), guarded)


def _columns_won(remote: RemoteColumns, owner: int, trees: list[Tree]) -> list[int]:
    """Return the column of each split that a feature party won in these trees, in the order of its splits."""
    count = sum(tree.owner.count(owner) for tree in trees)
    return [split.feature for split in remote.splits[:count]]
