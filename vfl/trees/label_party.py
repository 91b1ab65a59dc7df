"""The label party's side of trees: it grows them, keeps the leaves, and asks the others as it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.binning import Cuts, bin_columns, cut_points
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile, PublicKey, check_ciphertexts
from vfl.errors import DataError, MalformedMessage
from vfl.loss import LOSSES
from vfl.model import LabelShare, SplitTable, Tree
from vfl.params import TreeParams
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.trees.bitmap import from_bitmap, to_bitmap
from vfl.trees.columns import Gradients, LevelReply, LevelRequest, LocalColumns, NodeRows, OwnSplit
from vfl.trees.encryption import CHUNK_ROWS, EncryptedGradients
from vfl.trees.grower import Grower
from vfl.trees.importance import mean_gains
from vfl.trees.stopping import EarlyStopping
from vfl.wire import messages as m
from vfl.wire.session import LabelSession

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves at the label party.

    Attributes:
        share: the label party's share of the model.
        history: the watched metric after each tree; empty without watch rows.
        importances: XGBoost's ``importance_type="gain"``: by feature its mean gain over the splits it won,
            all features summing to 1. A feature party's columns are ``party.name``, or ``party.number``
            where it does not show names.
    """

    share: LabelShare
    history: list[float]
    importances: dict[str, float]


class RemoteColumns:
    """A feature party's columns, as a `vfl.trees.columns.ColumnOwner` for the grower.

    Args:
        session: an open conversation; `open` sends its first message.
        known: int64, by the party's own row the label party's row.
        public_key, decryptor, packing: of the job.
    """

    def __init__(
        self,
        session: LabelSession,
        known: Integers,
        public_key: PublicKey,
        decryptor: Decryptor,
        packing: GradientPacking,
    ) -> None:
        self.n_bins: Integers = np.zeros(0, dtype=np.int64)
        self.known = known
        self.splits: list[OwnSplit] = []
        self.names: list[str] = []
        self._session = session
        self._public_key, self._decryptor, self._packing = public_key, decryptor, packing

    def open(self, request: m.OpenTraining) -> None:
        """Open the job and learn how many bins each column has."""
        columns = self._session.ask(request, m.TrainingOpened).columns
        self.n_bins = np.array([column.bins for column in columns], dtype=np.int64)
        self.names = [f"{self._session.peer}.{c.name or number}" for number, c in enumerate(columns)]

    def close(self, trees: int) -> None:
        """End the job; the party keeps its splits of the first ``trees`` trees."""
        self._session.ask(m.CloseTraining(trees), m.TrainingClosed)

    def next_tree(self, tree: int, encrypted: EncryptedGradients) -> None:
        """Say which tree `open_tree` will open, and where its ciphertexts come from."""
        self._tree, self._encrypted = tree, encrypted

    def open_tree(self, gradients: Gradients, features: Integers) -> Float64:
        if not len(features):
            return np.zeros((0, 2))
        sampled = gradients.sampled[self.known]
        self._nodes = NodeRows(len(self.known), sampled)
        self._n_sums = int(self.n_bins[features].sum())
        request = m.OpenTree(self._tree, to_bitmap(sampled), features.tolist())
        rows = self.known[sampled]
        if self._session.ask(request, m.TreeOpened).rows != len(rows):
            raise MalformedMessage(f"{self._session.peer} counts other rows in the tree than were sampled")
        with ThreadPoolExecutor(1) as sender:  # one chunk is on its way while the next is encrypted
            sent = None
            for start in range(0, len(rows), CHUNK_ROWS):
                ciphertexts = self._encrypted.of(rows[start : start + CHUNK_ROWS])
                message = m.Gradients(start, ciphertexts.astype("<u8", copy=False).tobytes())
                if sent:
                    sent.result()
                sent = sender.submit(self._session.ask, message, m.GradientsTaken)
            if sent:
                sent.result()
        return self._decrypted(self._session.ask(m.SumRoot(), m.LevelGrown), [0])[0]

    def level(self, request: LevelRequest) -> LevelReply:
        message = m.GrowLevel(
            [m.Split(s.split, s.node, s.left, s.feature, s.bin, s.default_left) for s in request.splits],
            [m.Directions(d.node, d.left, to_bitmap(d.go_left)) for d in request.directions],
            request.siblings,
        )
        grown = self._session.ask(message, m.LevelGrown)
        if [d.node for d in grown.directions] != [s.node for s in request.splits]:
            raise MalformedMessage(f"{self._session.peer} gave directions for other nodes than it was asked")
        directions = {
            d.node: from_bitmap(d.go_left, len(self._nodes[d.node])) for d in grown.directions
        }
        for split in request.splits:
            self._nodes.split(split.node, split.left, directions[split.node])
            self.splits.append(split)
        for direction in request.directions:
            self._nodes.split(direction.node, direction.left, direction.go_left)
        children = [self._nodes.smaller_child(left) for left in request.siblings]
        return LevelReply(directions, self._decrypted(grown, children))

    def _decrypted(self, grown: m.LevelGrown, nodes: list[int]) -> dict[int, Float64]:
        if [sums.node for sums in grown.sums] != nodes:
            raise MalformedMessage(f"{self._session.peer} summed other nodes than it was asked")
        return {sums.node: self._node_sums(sums) for sums in grown.sums}

    def _node_sums(self, sums: m.NodeSums) -> Float64:
        count = len(self._nodes.sampled(sums.node))
        if not count and not sums.ciphertexts:
            return np.zeros((self._n_sums, 2))
        slots = self._packing.slots_per_ciphertext(count, self._public_key.bits)
        limbs = self._public_key.limbs
        if len(sums.ciphertexts) != 8 * limbs * -(-self._n_sums // slots):
            raise MalformedMessage(f"{self._session.peer} sent another number of sums than it has bins")
        ciphertexts = np.frombuffer(sums.ciphertexts, dtype="<u8").reshape(-1, limbs)
        check_ciphertexts(self._public_key, ciphertexts)
        G, H = self._packing.unpack(
            self._decryptor.decrypt(ciphertexts), slots, self._packing.slot_bits(count), self._n_sums, count
        )
        return np.stack([G, H], axis=1)


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

    Raises:
        DataError: the labels do not fit the objective.
        NotAligned: the table lacks a customer of an alignment.
        PeerError: a feature party failed or sent something that cannot be accepted.
    """
    watched = np.zeros(len(table.labels), dtype=np.bool_) if watch is None else watch
    job = _Training(
        sessions, alignments, table, params, private_key=private_key, watch=watched, profile=profile
    )
    on_progress(0, params.n_estimators, "opening")
    job.open(model_id, alignments)
    return job.grow(on_progress)


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
        self._encryptor = Encryptor(private_key, profile)
        decryptor, public_key = Decryptor(private_key), private_key.public_key
        self._remotes = [
            RemoteColumns(session, table.rows_of(alignments[peer]), public_key, decryptor, self._packing)
            for peer, session in sessions.items()
        ]
        # Rows in the order in which the first party sums them, then those that only others know.
        known = np.concatenate([np.zeros(0, np.int64), *(remote.known for remote in self._remotes)])
        self._order = known[np.sort(np.unique(known, return_index=True)[1])]
        self._rng = np.random.default_rng(params.random_state)

    def open(self, model_id: str, alignments: Mapping[str, Alignment]) -> None:
        """Open the job at every feature party, all at once."""
        openings = [
            m.OpenTraining(
                model=model_id,
                alignment=alignments[peer].id,
                fingerprint=alignments[peer].fingerprint,
                fit_rows=to_bitmap(self._fit[remote.known]),
                watch_rows=to_bitmap(self._watch[remote.known]),
                public_key=self._encryptor.public_key.to_bytes(),
                fraction_bits=self._packing.fraction_bits,
                packed_rows=self._packing.n_rows,
                max_abs_g=self._packing.max_abs_g,
                max_h=self._packing.max_h,
                max_bin=self._params.max_bin,
                max_depth=self._params.max_depth,
                trees=self._params.n_estimators,
            )
            for peer, remote in zip(self._peers, self._remotes, strict=True)
        ]
        with ThreadPoolExecutor(max(1, len(self._remotes))) as pool:
            list(pool.map(RemoteColumns.open, self._remotes, openings))

    def grow(self, on_progress: Progress) -> TrainingResult:
        """Grow every tree, then let the feature parties keep their shares."""
        params, table = self._params, self._table
        cuts = cut_points(table.columns[self._fit], params.max_bin)
        own = LocalColumns(bin_columns(table.columns, cuts), cuts.n_bins)
        grower = Grower([own, *self._remotes], params, self._packing.fraction_bits, self._rng)
        weights = None if table.weights is None else table.weights[self._watch]
        stopping = EarlyStopping(params, table.labels[self._watch], weights)
        margin = np.full(len(self._fit), self._loss.margin(self._base_score), dtype=np.float32)
        trees: list[Tree] = []
        enough = False
        while len(trees) < params.n_estimators and not enough:
            gradients = self._gradients(margin)
            order = self._order[gradients.sampled[self._order]]
            encrypted = EncryptedGradients(self._encryptor, self._packing, gradients, order)
            for remote in self._remotes:
                remote.next_tree(len(trees), encrypted)
            grown = grower.grow(gradients)
            trees.append(grown.tree)
            margin += np.array(grown.tree.value, dtype=np.float32)[grown.leaf_of_row]
            enough = stopping.take(self._loss.transform(margin[self._watch]))
            on_progress(len(trees), params.n_estimators, stopping.latest())
        return self._close(trees, own, cuts, stopping)

    def _first_score(self) -> float:
        if self._params.base_score is not None:
            return self._params.base_score
        weights = None if self._table.weights is None else self._table.weights[self._fit]
        return self._loss.base_score(self._table.labels[self._fit], weights, self._params.scale_pos_weight)

    def _bounds(self) -> GradientPacking:
        """Bounds that every gradient of the job keeps, rounded up to powers of two: they cross the wire."""
        weights = np.ones(1) if self._table.weights is None else self._table.weights
        heaviest = float(weights.max()) * max(1.0, self._params.scale_pos_weight)
        g, h = self._loss.bounds(self._table.labels, self._base_score)
        max_g, max_h = (2.0 ** math.ceil(math.log2(heaviest * bound)) for bound in (g, h))
        n = int(np.count_nonzero(self._fit))
        return GradientPacking(FixedPoint.fraction_bits_for(n, max(max_g, max_h)), n, max_g, max_h)

    def _gradients(self, margin: Float32) -> Gradients:
        table, params = self._table, self._params
        g, h = self._loss.gradients(margin, table.labels, table.weights, params.scale_pos_weight)
        fixed = FixedPoint(self._packing.fraction_bits)
        sampled = self._fit
        if params.subsample < 1:
            sampled = self._fit & (self._rng.random(len(margin)) < params.subsample)
        return Gradients(
            fixed.quantise(g).astype(np.float64), fixed.quantise(h).astype(np.float64), sampled
        )

    def _close(
        self, trees: list[Tree], own: LocalColumns, cuts: Cuts, stopping: EarlyStopping
    ) -> TrainingResult:
        kept = trees[: stopping.trees_kept(len(trees))]
        with ThreadPoolExecutor(max(1, len(self._remotes))) as pool:
            list(pool.map(lambda remote: remote.close(len(kept)), self._remotes))
        splits = SplitTable(
            feature=[split.feature for split in own.splits],
            threshold=[cuts.threshold(split.feature, split.bin) for split in own.splits],
            default_left=[split.default_left for split in own.splits],
        )
        share = LabelShare(
            params=self._params,
            base_score=self._base_score,
            columns=list(self._table.names),
            owners=self._peers,
            splits=splits.first(sum(tree.owner.count(0) for tree in kept)),
            trees=kept,
            best_iteration=stopping.best,
        )
        names = [list(self._table.names), *(remote.names for remote in self._remotes)]
        told = [own.splits, *(remote.splits for remote in self._remotes)]
        feature_of = [[split.feature for split in splits] for splits in told]
        return TrainingResult(share, stopping.history, mean_gains(kept, names, feature_of))
