"""The label party's side of linear models: each round it fits coefficients of all offered directions."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vfl.aggregation.encrypted_rows import EncryptedRows
from vfl.aggregation.row_order import common_order
from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.problem import KnownRows, Problem
from vfl.algorithms.linear.remote_party import Pass, RemoteParty, Round
from vfl.algorithms.linear.slots import Slots, whole
from vfl.arrays import Float64, Integers
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile
from vfl.errors import DataError
from vfl.linear_model.design import Design
from vfl.linear_model.evidence import NamedBinning
from vfl.linear_model.loss import LOSSES
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearLabelPart, LinearPeer
from vfl.linear_model.result import LinearResult, Progress
from vfl.psi.alignment import Alignment
from vfl.trace import span
from vfl.wire.session import LabelSession


def train(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    table: LabelTable,
    params: LinearParams,
    private_key: PrivateKey,
    *,
    model_id: str,
    binning: NamedBinning | None = None,
    profile: Profile = "short",
    on_progress: Progress = lambda done, total, what: None,
) -> LinearResult:
    """Train a linear model with feature parties; its coefficients are those of the pooled table.

    Args:
        sessions: a new conversation with each feature party.
        alignments: by the same names.
        table: labels, weights and own columns; its rows all take part, aligned or not.
        params: loss, penalty and when to stop.
        private_key: the label party's Paillier key.
        model_id: name under which every party keeps its part.
        binning: in whose weights of evidence all parties' columns take part; None takes them as they are. A
            customer that a feature party does not know then has a coefficient of its own, at the label party.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        on_progress: called with (rounds done, rounds at most, what happened).

    Raises:
        ParameterError: weights of evidence were to be standardised.
        DataError: the labels do not fit the loss, or weights or columns cannot be used.
        NotAligned: the table lacks a customer of an alignment.
        PeerError: a feature party failed or sent something that cannot be accepted.
    """
    job = _Training(sessions, alignments, table, params, private_key, binning, profile)
    on_progress(0, params.max_iter, "opening")
    with ThreadPoolExecutor(max(1, len(sessions))) as pool:
        job.open(pool, model_id, alignments)
        return job.fit(pool, on_progress)


class _Training:
    """The state of one training job."""

    def __init__(
        self,
        sessions: Mapping[str, LabelSession],
        alignments: Mapping[str, Alignment],
        table: LabelTable,
        params: LinearParams,
        private_key: PrivateKey,
        binning: NamedBinning | None,
        profile: Profile,
    ) -> None:
        n = len(table.labels)
        self._params, self._peers, self._binning = params, list(sessions), binning
        y, weights = table.labels.astype(np.float64), _weights(table)
        LOSSES[params.loss].check_labels(y[weights > 0])
        rows_in_label_table = [table.rows_of(alignments[peer]) for peer in sessions]
        self._design = Design.from_table(
            table, params, binning, dict(zip(sessions, rows_in_label_table, strict=True))
        )
        self._problem = Problem(
            params, self._design.columns, y, weights, len(sessions), private_key.derived(b"rotation")
        )
        self._slots = Slots(n)
        self._encryptor, decryptor = Encryptor(private_key, profile), Decryptor(private_key)
        self._remotes = [
            RemoteParty(session, KnownRows(rows, n), self._encryptor, decryptor, self._slots)
            for session, rows in zip(sessions.values(), rows_in_label_table, strict=True)
        ]
        every = np.concatenate([np.zeros(0, dtype=np.int64), *rows_in_label_table])
        self._recipients = np.bincount(every, minlength=n)
        order = common_order(n, rows_in_label_table, [alignments[peer] for peer in self._peers])
        self._order = order[self._recipients[order] > 0]

    def open(self, pool: ThreadPoolExecutor, model_id: str, alignments: Mapping[str, Alignment]) -> None:
        """Open the job at every feature party, all at once."""
        params = self._params
        openings = [
            m.OpenLinear(
                model=model_id,
                alignment=alignments[peer].id,
                fingerprint=alignments[peer].fingerprint,
                binning=self._binning and self._binning.name,
                rows=len(self._recipients),
                public_key=self._encryptor.public_key.to_bytes(),
                l2=params.l2,
                l1=params.l1,
                tol=params.tol,
                standardise=params.standardise,
                rounds=params.max_iter,
            )
            for peer in self._peers
        ]
        list(pool.map(RemoteParty.open, self._remotes, openings))

    def fit(self, pool: ThreadPoolExecutor, on_progress: Progress) -> LinearResult:
        """Run rounds until no feature party offers a step, then have all parties store their parts."""
        problem, params, history = self._problem, self._params, list[float]()
        self._solve()
        offered = bool(self._remotes)
        while offered and len(history) < params.max_iter:
            sent = [self._round()] * len(self._remotes)
            offered = any(list(pool.map(RemoteParty.round, self._remotes, sent, problem.offered)))
            history.append(max(remote.change for remote in self._remotes))
            if offered:
                self._solve()
            on_progress(len(history), params.max_iter, f"largest change {history[-1]:.1e}")
        coefficients = [offers.coefficients for offers in problem.offered]
        list(pool.map(RemoteParty.close, self._remotes, coefficients))
        converged = not offered and max([0.0, *history[-1:]]) <= params.tol
        return self._result(history, converged)

    def _solve(self) -> None:
        with span("solve"):
            self._problem.solve()

    def _round(self) -> Round:
        residuals, curvatures = self._problem.residuals()
        numbers, residual_exponent = whole(residuals[:, None])
        if not self._problem.outdated(curvatures):
            return Round(self._pass(numbers), None, residual_exponent, 0, 0)
        most = self._slots.per_plaintext(self._encryptor.public_key.bits) - 1
        block, block_exponent = whole(self._problem.block(curvatures, most))
        curved, curvature_exponent = whole(curvatures[:, None])
        return Round(
            self._pass(np.column_stack([numbers, block])),
            self._pass(curved),
            residual_exponent,
            block_exponent,
            curvature_exponent,
        )

    def _pass(self, values: Integers) -> Pass:
        encrypted = EncryptedRows(
            self._encryptor, lambda rows: self._slots.pack(values[rows]), self._order, self._recipients
        )
        return Pass(values, encrypted)

    def _result(self, history: list[float], converged: bool) -> LinearResult:
        own, design = self._problem.own, self._design
        constant = int(self._params.fit_intercept)
        unknown = design.unknown(own[constant:])
        part = LinearLabelPart(
            params=self._params,
            intercept=float(own[0]) if constant else 0.0,
            terms=design.terms(own[constant:]),
            owners=self._peers,
            peers=[
                LinearPeer(
                    shown=remote.shown, base=remote.base, unknown=remote.unknown + unknown.get(peer, 0.0)
                )
                for peer, remote in zip(self._peers, self._remotes, strict=True)
            ],
            binning=self._binning and self._binning.own.of_selected(),
        )
        directions = {
            peer: remote.directions for peer, remote in zip(self._peers, self._remotes, strict=True)
        }
        columns = [*part.terms.columns, *(name for remote in self._remotes for name in remote.columns)]
        return LinearResult(part, history, directions, converged, columns)


def _weights(table: LabelTable) -> Float64:
    if table.weights is None:
        return np.ones(len(table.labels))
    weights = table.weights.astype(np.float64)
    wrong = int(np.count_nonzero(~(np.isfinite(weights) & (weights >= 0))))
    if wrong or not weights.any():
        raise DataError(f"weights must be 0 or more and not all 0; {wrong} are negative or not finite")
    return weights
