"""The label party's side of trees: it grows them, keeps the leaves, and asks the others as it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vfl.aggregation.bitmap import to_bitmap
from vfl.aggregation.encrypted_rows import encrypted_pairs, randomness_ahead
from vfl.aggregation.packed_sums import SumOpener
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.binning import Cuts, bin_columns, cut_points
from vfl.algorithms.trees.checkpoint import Checkpoint
from vfl.algorithms.trees.columns import ColumnOwner, Gradients, LocalColumns, LocalTable, Split
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.algorithms.trees.grower import Grower
from vfl.algorithms.trees.importance import mean_gains
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import Tree, TreesLabelPart, TreesPeer, split_table
from vfl.algorithms.trees.problem import TreesProblem
from vfl.algorithms.trees.remote_party import RemoteColumns, RemoteParty
from vfl.algorithms.trees.stopping import EarlyStopping
from vfl.arrays import Bins, Bool
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile
from vfl.psi.alignment import Alignment
from vfl.wire.session import LabelSession

Progress = Callable[[int, int, str], None]
Ahead = Callable[[threading.Event], None]
Keep = Callable[[Checkpoint], None]


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves at the label party.

    Attributes:
        part: the label party's part of the model.
        history: the watched metric after each tree; empty without watch rows.
        importances: XGBoost's ``importance_type="gain"``: by feature its mean gain over its splits,
            all features summing to 1. A feature party's columns are ``party.name``, or ``party.number``
            where it does not show names.
        disclosure: by feature party, what its disclosure control changed; after a resumption in the trees
            since.
    """

    part: TreesLabelPart
    history: list[float]
    importances: dict[str, float]
    disclosure: dict[str, DisclosureReport]


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
        model_id: name under which every party keeps its part.
        watch: bool [n]; rows kept out of training on which early stopping is judged.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        on_progress: called with (trees done, trees at most, what happened).
        resume: state of an interrupted training; all other arguments must be the same as then.
        keep: called with where the training stands after each tree, before the next one begins.

    Raises:
        DataError: the labels do not fit the objective.
        NotAligned: the table lacks a customer of an alignment.
        PeerError: a feature party failed or sent something that cannot be accepted.
    """
    watched = np.zeros(len(table.labels), dtype=np.bool_) if watch is None else watch
    problem = TreesProblem(table, params, watched, {peer: alignments[peer] for peer in sessions})
    encryptor = Encryptor(private_key, profile)
    on_progress(len(resume.trees) if resume else 0, params.n_estimators, "opening")
    with randomness_ahead(encryptor, problem.rows_encrypted) as ahead:
        openings = {
            peer: _opening(problem, peer, owner, alignments[peer], model_id, private_key, resume)
            for owner, peer in enumerate(sessions, start=1)
        }
        nothing_to_encrypt = threading.Event()
        nothing_to_encrypt.set()
        ahead(nothing_to_encrypt)
        opener = SumOpener(private_key.public_key, Decryptor(private_key), problem.packing)
        with ThreadPoolExecutor(max(1, len(sessions))) as pool:
            remotes = pool.map(
                lambda peer: RemoteParty.open(
                    sessions[peer], problem.rows_in_label_table[peer], opener, openings[peer]
                ),
                sessions,
            )
            fit_rows = problem.order[problem.fit[problem.order]]
            cuts = cut_points(table.columns[fit_rows], params.max_bin)  # while the others open
            bins = bin_columns(table.columns, cuts)
            training = _Training(problem, encryptor, cuts, bins, list(remotes), resume)
        return training.grow(keep, ahead, on_progress)


def _opening(
    problem: TreesProblem,
    peer: str,
    owner: int,
    alignment: Alignment,
    model_id: str,
    private_key: PrivateKey,
    resume: Checkpoint | None,
) -> m.OpenTraining:
    rows, packing, params = problem.rows_in_label_table[peer], problem.packing, problem.params
    return m.OpenTraining(
        model=model_id,
        alignment=alignment.id,
        fingerprint=alignment.fingerprint,
        fit_rows=to_bitmap(problem.fit[rows]),
        watch_rows=to_bitmap(problem.watch[rows]),
        public_key=private_key.public_key.to_bytes(),
        fraction_bits=packing.fraction_bits,
        packed_rows=packing.n_rows,
        max_abs_g=packing.max_abs_g,
        max_h=packing.max_h,
        max_bin=params.max_bin,
        max_depth=params.max_depth,
        trees=params.n_estimators,
        grown=len(resume.trees) if resume else 0,
        splits=len(resume.splits[owner]) if resume else 0,
    )


class _Training:
    """A training that every feature party has opened: its trees, margins and splits so far."""

    def __init__(
        self,
        problem: TreesProblem,
        encryptor: Encryptor,
        cuts: Cuts,
        bins: Bins,
        remotes: list[RemoteParty],
        resume: Checkpoint | None,
    ) -> None:
        table, params, watch = problem.table, problem.params, problem.watch
        self._problem, self._encryptor, self._cuts, self._remotes = problem, encryptor, cuts, remotes
        self._own = LocalTable(bins, cuts.n_bins, np.arange(len(bins), dtype=np.int64))
        weights = None if table.weights is None else table.weights[watch]
        self._stopping = EarlyStopping(params, table.labels[watch], weights)
        self._rng = np.random.default_rng(params.random_state)
        self._margin = resume.margins() if resume else problem.start_margin()
        self._trees: list[Tree] = list(resume.trees) if resume else []
        if resume:
            resume.restore(self._rng)
        self._enough = self._stopping.replay(resume.history if resume else [])
        splits: list[list[Split]] = resume.splits if resume else [[] for _ in range(len(remotes) + 1)]
        self._grower = Grower(params, problem.packing.fraction_bits, self._rng, splits)

    def grow(self, keep: Keep, ahead: Ahead, on_progress: Progress) -> TrainingResult:
        """Grow every tree that is not there yet, then let the feature parties keep their parts."""
        problem, n_estimators = self._problem, self._problem.params.n_estimators
        while len(self._trees) < n_estimators and not self._enough:
            gradients = problem.gradients(self._margin, self._rng)
            grown = self._grower.grow(gradients, self._owners(gradients, ahead))
            self._trees.append(grown.tree)
            self._margin += np.array(grown.tree.value, dtype=np.float32)[grown.leaf_of_row]
            self._enough = self._stopping.take(problem.loss.transform(self._margin[problem.watch]))
            splits, history = self._grower.splits, self._stopping.history
            keep(Checkpoint.take(self._trees, splits, self._margin, self._rng, history))
            on_progress(len(self._trees), n_estimators, self._stopping.latest())
        return self._close()

    def _owners(self, gradients: Gradients, ahead: Ahead) -> list[ColumnOwner]:
        """Return the columns of all parties for the next tree; feature parties' get ciphertexts only."""
        problem, tree = self._problem, len(self._trees)
        recipients, sampled = problem.recipients_per_row, gradients.sampled
        order = problem.order[(sampled & (recipients > 0))[problem.order]]
        encrypted = encrypted_pairs(
            self._encryptor, problem.packing, gradients.G, gradients.H, order, recipients
        )
        last = tree + 1 == problem.params.n_estimators
        ahead(threading.Event() if last else encrypted.complete)  # there is nothing to make ahead for
        remotes = [RemoteColumns(remote, tree, encrypted, sampled) for remote in self._remotes]
        return [LocalColumns(self._own, gradients), *remotes]

    def _close(self) -> TrainingResult:
        problem, stopping, splits = self._problem, self._stopping, self._grower.splits
        trees = self._trees[: stopping.trees_kept(len(self._trees))]
        with ThreadPoolExecutor(max(1, len(self._remotes))) as pool:
            list(pool.map(lambda remote: remote.close(len(trees)), self._remotes))
        part = TreesLabelPart(
            params=problem.params,
            base_score=problem.base_score,
            columns=list(problem.table.names),
            owners=list(problem.rows_in_label_table),
            peers=[
                TreesPeer(shown=remote.shown, split_column=_split_columns(splits[owner], owner, trees))
                for owner, remote in enumerate(self._remotes, start=1)
            ],
            splits=split_table(splits[0], self._cuts).first(sum(tree.owner.count(0) for tree in trees)),
            trees=trees,
            best_iteration=stopping.best,
        )
        names = [list(problem.table.names), *(remote.names for remote in self._remotes)]
        columns = [[split.column for split in of_owner] for of_owner in splits]
        return TrainingResult(
            part,
            stopping.history,
            mean_gains(trees, names, columns),
            {remote.session.peer: remote.disclosure for remote in self._remotes},
        )


def _split_columns(splits: list[Split], owner: int, trees: list[Tree]) -> list[int]:
    """Return the column of each split that a feature party has in these trees, in the order of its splits."""
    return [split.column for split in splits[: sum(tree.owner.count(owner) for tree in trees)]]
