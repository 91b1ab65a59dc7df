"""The label party's side of logistic regression on secret shares, with one feature party."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vfl.aggregation.ciphertext_stream import send_ciphertexts
from vfl.aggregation.table import LabelTable
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer
from vfl.algorithms.secret_shared.cross_products import LabelSums
from vfl.algorithms.secret_shared.encoding import CHUNK_ROWS, matrix, share_bytes, shares_of
from vfl.algorithms.secret_shared.gradient_descent import UNIT, Plan, whole_gradient
from vfl.algorithms.secret_shared.gradient_step import GradientStep, HarmonicSums
from vfl.algorithms.secret_shared.own_model import OwnModel
from vfl.arrays import Float64
from vfl.crypto.paillier import PrivateKey, Profile, PublicKey
from vfl.errors import MalformedMessage, ParameterError
from vfl.linear_model.evidence import NamedBinning
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearPeer
from vfl.linear_model.result import LinearResult, Progress
from vfl.psi.alignment import Alignment
from vfl.trace import span
from vfl.wire.session import LabelSession

Exchanged = tuple["Future[m.HarmonicsExchanged]", slice]

ACCURACY = 2e-3
"""To what fraction of its first value the distance to the solution shrinks before training stops, unless
steps run out. Rounding and the series leave about a thousandth of a deviation."""

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

    Its coefficients are those of `vfl.algorithms.linear.label_party.train` to about a hundredth, on columns
    that end six deviations from their mean, as long as no linear predictor is more than nine from the mean.

    Args and Raises: as there. ``tol`` has no part, and the history holds the last step alone.

    Raises besides:
        ParameterError: several feature parties, another loss than logistic, an L1 penalty, or sample weights.
    """
    if len(sessions) != 1:
        raise ParameterError(
            "secret_shared trains with one feature party: use linear (protocol plain) for several"
        )
    if params.loss != "logistic" or params.l1:
        raise ParameterError(
            "secret_shared trains with logistic loss and no L1 penalty: use linear (protocol plain)"
        )
    if table.weights is not None and not (table.weights == 1).all():
        raise ParameterError("secret_shared trains without sample weights: use linear (protocol plain)")
    ((peer, session),) = sessions.items()
    own = OwnModel.fit(table, params, binning, peer, table.rows_of(alignments[peer]))
    on_progress(0, params.max_iter, "opening")
    job = open_job(session, alignments[peer], own, model_id, private_key, profile)
    plan, gradient_step = prepare(job)
    total = min(params.max_iter, plan.steps(ACCURACY))
    for done in range(total):
        take_step(session, gradient_step, len(own.y))
        on_progress(done + 1, total, "step on shares")
    return close(job, gradient_step, total)


@dataclass(frozen=True)
class OpenedJob:
    """A job that the feature party takes part in.

    Attributes:
        session: with it.
        own: the label party's own model.
        ciphers: both parties' keys.
        shown: the feature party's columns by name, or empty names.
        penalty: of its coordinates.
    """

    session: LabelSession
    own: OwnModel
    ciphers: Ciphers
    shown: list[str]
    penalty: Float64


def open_job(
    session: LabelSession,
    alignment: Alignment,
    own: OwnModel,
    model_id: str,
    private_key: PrivateKey,
    profile: Profile,
) -> OpenedJob:
    """Open the job and exchange keys."""
    params, n = own.params, len(own.y)
    opening = m.OpenShared(
        model=model_id,
        alignment=alignment.id,
        fingerprint=alignment.fingerprint,
        binning=own.binning and own.binning.name,
        rows=n,
        public_key=private_key.public_key.to_bytes(),
        width=own.basis.width,
        exponent=own.basis.exponent,
        l2=params.l2,
        standardise=params.standardise,
        steps=params.max_iter,
    )
    opened = session.ask(opening, m.SharedOpened)
    peer = Peer(PublicKey.from_bytes(opened.public_key), opened.width, opened.exponent)
    if opened.width > len(opened.columns):
        raise MalformedMessage(f"{session.peer} has more coordinates than columns")
    penalty = matrix(opened.penalty, (peer.width, peer.width))
    return OpenedJob(session, own, Ciphers(private_key, profile, peer, n), opened.columns, penalty)


def prepare(job: OpenedJob) -> tuple[Plan, GradientStep]:
    """Sum cross products, get shares of what labels add to gradients, and fix the plan of all steps."""
    session, own, ciphers = job.session, job.own, job.ciphers
    basis, n = own.basis, len(own.y)
    sums = LabelSums(ciphers, basis, own.y)
    chunk_rows = max(1, CHUNK_ROWS // sums.plaintexts)
    rows = np.arange(n)
    send_ciphertexts(session, sums, rows, m.LabelRows, m.LabelRowsTaken, chunk_rows=chunk_rows)
    masked = session.ask(m.AskCrossSums(), m.CrossSumsGiven)
    cross_products, labels = sums.open(masked.sums, masked.masks)
    plan = Plan.from_cross_products(n, cross_products, (basis.penalty, job.penalty), own.flattest, own.series)
    message = m.GivePlan(
        plan.gain.astype("<f8").tobytes(),
        plan.damping.astype("<f8").tobytes(),
        plan.momentum,
        plan.level,
        plan.amplitudes.tolist(),
    )
    session.ask(message, m.PlanTaken)
    k, d = basis.width, ciphers.peer.width
    constant = whole_gradient(basis.columns.T @ (0.5 + plan.level - own.y)) + labels
    start = [round(value) for value in (own.start / UNIT).tolist()] + [0] * d
    places = slice(0, k), slice(k, k + d)
    return plan, GradientStep(ciphers, basis, *places, plan, start, constant, own.series.phases)


def take_step(session: LabelSession, gradient_step: GradientStep, n: int) -> None:
    """Take a step at both parties."""
    opened = session.ask(m.OpenStep(gradient_step.encrypted_weights()), m.StepOpened)
    with span("predictors"):
        predictors, masks = gradient_step.predictors(opened.weights)
        sums = gradient_step.harmonic_sums(masks, opened.predictors)
    session.ask(m.GivePredictors(predictors), m.PredictorsTaken)
    theirs = _exchange_harmonics(session, sums, n)
    with span("mask"):
        masked, shares = sums.masked()
    session.ask(m.GiveGradient(masked), m.GradientTaken)
    with span("step"):
        gradient_step.step(sums, shares, theirs)


def _exchange_harmonics(session: LabelSession, sums: HarmonicSums, n: int) -> bytes:
    """Exchange harmonics of all rows, sum the other party's, and return its own masked sums."""

    def exchange(sender: ThreadPoolExecutor, rows: slice) -> Exchanged:
        with span("encrypt"):
            message = m.ExchangeHarmonics(rows.start, rows.stop - rows.start, sums.encrypted(rows))
        return sender.submit(session.ask, message, m.HarmonicsExchanged), rows

    def add(reply: Future[m.HarmonicsExchanged], rows: slice) -> None:
        ciphertexts = reply.result().ciphertexts
        with span("sum harmonics"):
            sums.add(ciphertexts, rows)

    with ThreadPoolExecutor(1) as sender:  # this party sums while the other one does
        first, *others = [slice(start, min(start + CHUNK_ROWS, n)) for start in range(0, n, CHUNK_ROWS)]
        waiting = exchange(sender, first)
        for rows in others:
            following = exchange(sender, rows)
            add(*waiting)
            waiting = following
        waiting[0].result()
        gradient = sender.submit(session.ask, m.AskGradient(), m.GradientGiven)
        add(*waiting)
        return gradient.result().sums


def close(job: OpenedJob, gradient_step: GradientStep, steps: int) -> LinearResult:
    """End the job: each party gets the shares of its own coefficients."""
    session, k, weights = job.session, job.own.basis.width, gradient_step.weights
    message = m.CloseShared(share_bytes(weights.now[k:]), share_bytes(weights.before[k:]))
    closed = session.ask(message, m.SharedClosed)
    own, change = gradient_step.coefficients(shares_of(closed.now, k), shares_of(closed.before, k))
    if not np.isfinite(own).all():
        raise MalformedMessage(f"{session.peer} gave shares that are no coefficients")
    feature = LinearPeer(shown=job.shown, base=closed.base, unknown=closed.unknown)
    part = job.own.part(own, session.peer, feature)
    last = max(change, closed.change)
    names = [f"{session.peer}.{name or number}" for number, name in enumerate(job.shown)]
    columns = [*part.terms.columns, *names]
    return LinearResult(part, [last], {session.peer: steps}, last <= SETTLED, columns)
