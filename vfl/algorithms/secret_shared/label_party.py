"""The label party's side of logistic regression on shares, with one feature party."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from vfl.aggregation.table import LabelTable
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer
from vfl.algorithms.secret_shared.cross_products import LabelSums
from vfl.algorithms.secret_shared.encoding import CHUNK_ROWS, MOST_ROWS, matrix, share_bytes, shares_of
from vfl.algorithms.secret_shared.fourier import Series
from vfl.algorithms.secret_shared.gradient_descent import UNIT, Plan, whole_gradient
from vfl.algorithms.secret_shared.gradient_step import GradientStep
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.crypto.paillier import PrivateKey, Profile, PublicKey
from vfl.errors import DataError, MalformedMessage, ParameterError
from vfl.linear_model.design import Design
from vfl.linear_model.evidence import NamedBinning
from vfl.linear_model.loss import Logistic
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearLabelPart, LinearPeer
from vfl.linear_model.result import LinearResult, Progress
from vfl.linear_model.solver import Penalty, minimise
from vfl.psi.alignment import Alignment
from vfl.trace import span
from vfl.wire.session import LabelSession

Exchanged = tuple[Future[m.WavesExchanged], slice]

ACCURACY = 2e-3
"""To what share of its first value the distance to the solution shrinks before training stops, unless steps
run out. Rounding and the series leave about a thousandth of a deviation."""

SETTLED = 0.02
"""A last step that moves no coefficient by more than this has converged."""


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
    """Train a logistic regression with one feature party; no partial score and no gradient appears in clear.

    Its coefficients are those of `vfl.algorithms.linear.label_party.train` to about a hundredth, on columns that end
    six deviations from their mean, as long as no linear predictor is more than nine from the mean one.

    Args and Raises: as there. ``tol`` has no part, and the history holds the last step alone.

    Raises besides:
        ParameterError: several feature parties, another loss than logistic, an L1 penalty, or sample weights.
    """
    if len(sessions) != 1:
        raise ParameterError("training on shares takes one feature party: use protocol plain for several")
    if params.loss != "logistic" or params.l1:
        raise ParameterError("training on shares takes logistic loss and no L1 penalty: use protocol plain")
    if table.weights is not None and not (table.weights == 1).all():
        raise ParameterError("training on shares takes no sample weights: use protocol plain")
    (peer,) = sessions
    job = _Training(sessions[peer], alignments[peer], table, params, binning)
    on_progress(0, params.max_iter, "opening")
    job.open(model_id, private_key, profile)
    job.prepare()
    total = min(params.max_iter, job.plan.steps(ACCURACY))
    for done in range(total):
        job.step()
        on_progress(done + 1, total, "step on shares")
    return job.close(total)


class _Training:
    """The state of one training job."""

    def __init__(
        self,
        session: LabelSession,
        alignment: Alignment,
        table: LabelTable,
        params: LinearParams,
        binning: NamedBinning | None,
    ) -> None:
        n, y = len(table.labels), table.labels.astype(np.float64)
        if n > MOST_ROWS:
            raise DataError(f"training on shares takes {MOST_ROWS} rows at most, not {n}")
        Logistic().check_labels(y)
        known = table.rows_of(alignment)
        order = np.concatenate([known, np.setdiff1d(np.arange(n), known)])
        self._session, self._alignment, self._params, self._binning = session, alignment, params, binning
        self._design = Design.of(table, params, binning, {session.peer: known})
        constant = int(params.fit_intercept)
        columns = np.hstack([np.ones((n, constant)), self._design.columns])[order]
        self._y = y[order]
        with span("own model"):
            square = np.full(columns.shape[1], params.l2)
            square[:constant] = 0.0
            self._basis = Basis.of(columns, square)
            self._fit_own()

    def _fit_own(self) -> None:
        """The model of the label party alone: where training starts, and how curved it is there."""
        basis, n, loss = self._basis, len(self._y), Logistic()
        ones, zeros = np.ones(n), np.zeros(basis.width)
        penalty = Penalty.ridge(basis.penalty)
        self._start = minimise(loss, basis.columns, np.zeros(n), self._y, ones, penalty, zeros)
        z = basis.columns @ self._start
        curvature = (basis.columns * loss.curvature(z)[:, None]).T @ basis.columns + basis.penalty
        self._flattest = float(np.linalg.eigvalsh(curvature)[0]) * 4 / n
        self._series = Series.fit(float(z.mean()))

    def open(self, model_id: str, private_key: PrivateKey, profile: Profile) -> None:
        """Open the job and exchange keys."""
        alignment, params, n = self._alignment, self._params, len(self._y)
        opening = m.OpenShared(
            model=model_id,
            alignment=alignment.id,
            fingerprint=alignment.fingerprint,
            binning=self._binning and self._binning.name,
            rows=n,
            public_key=private_key.public_key.to_bytes(),
            width=self._basis.width,
            exponent=self._basis.exponent,
            l2=params.l2,
            standardise=params.standardise,
            steps=params.max_iter,
        )
        opened = self._session.ask(opening, m.SharedOpened)
        peer = Peer(PublicKey.from_bytes(opened.public_key), opened.width, opened.exponent)
        if opened.width > len(opened.columns):
            raise MalformedMessage(f"{self._session.peer} has more coordinates than columns")
        self._shown, self._penalty = opened.columns, matrix(opened.penalty, (peer.width, peer.width))
        self._ciphers = Ciphers(private_key, profile, peer, n)

    def prepare(self) -> None:
        """How both parties' coordinates go together; what labels add to gradients; the plan of all steps."""
        sums = LabelSums(self._ciphers, self._basis, self._y)
        for rows in self._chunks(sums.plaintexts):
            with span("encrypt"):
                encrypted = sums.encrypted(rows)
            self._session.ask(m.LabelRows(rows.start, encrypted), m.LabelRowsTaken)
        given = self._session.ask(m.AskCrossSums(), m.CrossSumsGiven)
        cross, labels = sums.take(given.sums, given.masks)
        basis, n, series = self._basis, len(self._y), self._series
        self.plan = plan = Plan.of(n, cross, (basis.penalty, self._penalty), self._flattest, series)
        self._session.ask(
            m.GivePlan(
                plan.gain.astype("<f8").tobytes(),
                plan.damping.astype("<f8").tobytes(),
                plan.momentum,
                plan.level,
                plan.amplitudes.tolist(),
            ),
            m.PlanTaken,
        )
        k, d = basis.width, self._ciphers.peer.width
        constant = whole_gradient(basis.columns.T @ (0.5 + plan.level - self._y)) + labels
        start = [round(value) for value in (self._start / UNIT).tolist()] + [0] * d
        own, other = slice(0, k), slice(k, k + d)
        self._side = GradientStep(self._ciphers, basis, own, other, plan, start, constant, series.phases)

    def step(self) -> None:
        """One step of both parties."""
        side, session = self._side, self._session
        opened = session.ask(m.OpenStep(side.encrypted_weights()), m.StepOpened)
        with span("predictors"):
            predictors = side.predictors(opened.weights)
            side.take_predictors(opened.predictors)
        session.ask(m.GivePredictors(predictors), m.PredictorsTaken)
        with ThreadPoolExecutor(1) as sender:  # this party sums while the other one does
            first, *others = self._chunks()
            waiting = self._exchange(sender, first)
            for rows in others:
                following = self._exchange(sender, rows)
                self._sum(*waiting)
                waiting = following
            waiting[0].result()
            gradient = sender.submit(session.ask, m.AskGradient(), m.GradientGiven)
            self._sum(*waiting)
            theirs = gradient.result().sums
        with span("mask"):
            ours = side.masked_sums()
        session.ask(m.GiveGradient(ours), m.GradientTaken)
        with span("step"):
            side.step(theirs)

    def _exchange(self, sender: ThreadPoolExecutor, rows: slice) -> Exchanged:
        with span("encrypt"):
            waves = m.ExchangeWaves(rows.start, rows.stop - rows.start, self._side.encrypted_waves(rows))
        return sender.submit(self._session.ask, waves, m.WavesExchanged), rows

    def _sum(self, answer: Future[m.WavesExchanged], rows: slice) -> None:
        ciphertexts = answer.result().ciphertexts
        with span("sum waves"):
            self._side.take_waves(ciphertexts, rows)

    def close(self, steps: int) -> LinearResult:
        """Each party gets the shares of its own coefficients."""
        k, weights, session = self._basis.width, self._side.weights, self._session
        told = m.CloseShared(share_bytes(weights.now[k:]), share_bytes(weights.before[k:]))
        closed = session.ask(told, m.SharedClosed)
        own, change = self._side.coefficients(shares_of(closed.now, k), shares_of(closed.before, k))
        if not np.isfinite(own).all():
            raise MalformedMessage(f"{session.peer} gave shares that are no coefficients")
        constant = int(self._params.fit_intercept)
        unknown = self._design.unknown(own[constant:]).get(session.peer, 0.0)
        share = LinearLabelPart(
            params=self._params,
            intercept=float(own[0]) if constant else 0.0,
            terms=self._design.terms(own[constant:]),
            owners=[session.peer],
            peers=[LinearPeer(shown=self._shown, base=closed.base, unknown=closed.unknown + unknown)],
            binning=self._binning and self._binning.own.of_kept(),
        )
        last = max(change, closed.change)
        names = [f"{session.peer}.{name or number}" for number, name in enumerate(self._shown)]
        columns = [*share.terms.columns, *names]
        return LinearResult(share, [last], {session.peer: steps}, last <= SETTLED, columns)

    def _chunks(self, plaintexts: int = 1) -> list[slice]:
        n, size = len(self._y), max(1, CHUNK_ROWS // plaintexts)
        return [slice(first, min(first + size, n)) for first in range(0, n, size)]
