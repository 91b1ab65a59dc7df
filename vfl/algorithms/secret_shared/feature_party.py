"""The feature party's side of logistic regression on shares.

A worker answers the messages of one job. It makes a key of its own for the job and keeps nothing of it but
its coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from vfl.aggregation.journal import Journal, terms_digest
from vfl.aggregation.store import open_rows
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer
from vfl.algorithms.secret_shared.cross_products import FeatureSums
from vfl.algorithms.secret_shared.encoding import MOST_ROWS, matrix, share_bytes, shares_of
from vfl.algorithms.secret_shared.fourier import HARMONICS, NO_PHASES
from vfl.algorithms.secret_shared.gradient_descent import Plan, whole_gradient
from vfl.algorithms.secret_shared.gradient_step import GradientStep
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.arrays import Floats
from vfl.crypto.paillier import PrivateKey, Profile, PublicKey, generate
from vfl.errors import MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence
from vfl.linear_model.evidence import Binning, BinningStore, woe_columns
from vfl.linear_model.parts import LinearFeaturePart, LinearTerms
from vfl.linear_model.scaling import CLIPPED, Scaling
from vfl.trace import span
from vfl.wire.message import Message


class SharedWorker:
    """Answers one training job of a logistic regression on shares.

    Args:
        store: this party's alignments, columns, binnings and shares.
        show_columns: whether the label party learns the names of this party's columns.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
    """

    def __init__(
        self, store: BinningStore, *, show_columns: bool = False, profile: Profile = "short"
    ) -> None:
        self._store, self._show_columns, self._profile = store, show_columns, profile
        self._waiting: list[tuple[bytes, slice]] = []
        self._handlers: dict[type[Message], Callable[[Any], Message]] = {
            m.OpenShared: self._open,
            m.LabelRows: self._take_rows,
            m.AskCrossSums: self._cross_sums,
            m.GivePlan: self._take_plan,
            m.OpenStep: self._open_step,
            m.GivePredictors: self._take_predictors,
            m.ExchangeWaves: self._exchange_waves,
            m.AskGradient: self._gradient,
            m.GiveGradient: self._step,
            m.CloseShared: self._close,
        }

    def handle(self, request: Message) -> Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        return self._handlers[type(request)](request)

    def _open(self, request: m.OpenShared) -> m.SharedOpened:
        self._names, self._binning, columns = _coded(self._store, request)
        if not len(columns) <= request.rows <= MOST_ROWS:
            raise OutOfRange(f"the job has fewer rows than are aligned, or more than {MOST_ROWS}")
        self._key = PublicKey.from_bytes(request.public_key)
        self._scaling = (
            Scaling.fit(columns, standardise=request.standardise, limit=CLIPPED)
            if self._binning is None
            else Scaling.none(len(self._names))
        )
        scaled = self._scaling.apply(columns)
        self._mean = None if self._binning is None else scaled.mean(axis=0)
        # The largest coordinate may be another one, since coordinates are turned at random each time.
        terms = msgspec.structs.replace(request, public_key=b"-", exponent=0)
        self._draft = Journal(self._store, request.model, terms_digest(terms, scaled))
        unknown = np.tile(self._scaling.unknown(), (request.rows - len(columns), 1))
        with span("basis"):
            self._basis = Basis.of(np.vstack([scaled, unknown]), np.full(scaled.shape[1], request.l2))
        private_key: PrivateKey = generate(-(-self._key.bits // 256) * 256)
        peer = Peer(self._key, request.width, request.exponent)
        self._ciphers = Ciphers(private_key, self._profile, peer, request.rows)
        self._cross = FeatureSums(self._ciphers, self._basis)
        self._model, self._steps_left, self._steps_done, self._taken = request.model, request.steps, 0, 0
        return m.SharedOpened(
            self._names if self._show_columns else [""] * len(self._names),
            private_key.public_key.to_bytes(),
            self._basis.width,
            self._basis.exponent,
            self._basis.penalty.astype("<f8").tobytes(),
        )

    def _take_rows(self, request: m.LabelRows) -> m.LabelRowsTaken:
        width = 8 * self._key.limbs * self._cross.plaintexts
        rows, rest = divmod(len(request.ciphertexts), width)
        if rest or not rows:
            raise MalformedMessage(f"a row is {width} bytes of ciphertexts")
        with span("sum rows"):
            self._cross.take(request.ciphertexts, self._next(request.offset, rows))
        return m.LabelRowsTaken(self._taken)

    def _cross_sums(self, request: m.AskCrossSums) -> m.CrossSumsGiven:
        self._all_taken()
        with span("mask"):
            sums, masks, self._labels = self._cross.masked()
        self._draft.tell()
        return m.CrossSumsGiven(sums, masks)

    def _take_plan(self, request: m.GivePlan) -> m.PlanTaken:
        if len(request.amplitudes) != HARMONICS:
            raise OutOfRange(f"{HARMONICS} amplitudes were due")
        k, d = self._ciphers.peer.width, self._basis.width
        plan = Plan(
            matrix(request.gain, (k + d, k + d)),
            matrix(request.damping, (k + d, k + d)),
            request.momentum,
            request.level,
            np.array(request.amplitudes),
        )
        level = whole_gradient(plan.level * self._basis.columns.sum(axis=0))
        constant = [0] * k + [a + b for a, b in zip(level, self._labels, strict=True)]
        own, other = slice(k, k + d), slice(0, k)
        self._side = GradientStep(
            self._ciphers, self._basis, own, other, plan, [0] * (k + d), constant, NO_PHASES
        )
        return m.PlanTaken(self._ciphers.rows)

    def _open_step(self, request: m.OpenStep) -> m.StepOpened:
        if not self._steps_left:
            raise NotAllowed("the job has had all its steps")
        self._steps_left -= 1
        self._taken = 0
        with span("predictors"):
            return m.StepOpened(self._side.encrypted_weights(), self._side.predictors(request.weights))

    def _take_predictors(self, request: m.GivePredictors) -> m.PredictorsTaken:
        with span("decrypt"):
            self._side.take_predictors(request.predictors)
        return m.PredictorsTaken(self._ciphers.rows)

    def _exchange_waves(self, request: m.ExchangeWaves) -> m.WavesExchanged:
        # Summed when the next request comes, while the label party sums as well.
        self._sum_waiting()
        rows = self._next(request.offset, request.rows)
        self._waiting.append((request.ciphertexts, rows))
        with span("encrypt"):
            return m.WavesExchanged(self._side.encrypted_waves(rows))

    def _gradient(self, request: m.AskGradient) -> m.GradientGiven:
        self._all_taken()
        self._sum_waiting()
        with span("mask"):
            return m.GradientGiven(self._side.masked_sums())

    def _sum_waiting(self) -> None:
        for ciphertexts, rows in self._waiting:
            with span("sum waves"):
                self._side.take_waves(ciphertexts, rows)
        self._waiting.clear()

    def _step(self, request: m.GiveGradient) -> m.GradientTaken:
        with span("step"):
            self._side.step(request.sums)
        self._steps_done += 1
        return m.GradientTaken(self._steps_done)

    def _close(self, request: m.CloseShared) -> m.SharedClosed:
        d, weights = self._basis.width, self._side.weights
        coefficients, change = self._side.coefficients(
            shares_of(request.now, d), shares_of(request.before, d)
        )
        if not (np.abs(coefficients) < 1e30).all():
            raise OutOfRange("the shares are no coefficients")
        terms = LinearTerms.of(self._names, self._scaling, coefficients, self._mean)
        self._store.save_part(self._model, LinearFeaturePart(terms=terms, binning=self._binning))
        k = self._ciphers.peer.width
        return m.SharedClosed(
            share_bytes(weights.now[:k]), share_bytes(weights.before[:k]), change, terms.base, terms.unknown()
        )

    def _next(self, offset: int, count: int) -> slice:
        """The rows that come next; raises OutOfRange where others have come."""
        rows = slice(self._taken, self._taken + count)
        if offset != rows.start or rows.stop > self._ciphers.rows:
            raise OutOfRange(f"row {self._taken} of {self._ciphers.rows} was due")
        self._taken = rows.stop
        return rows

    def _all_taken(self) -> None:
        if self._taken != self._ciphers.rows:
            raise OutOfSequence(f"{self._taken} of {self._ciphers.rows} rows have come")


def _coded(store: BinningStore, request: m.OpenShared) -> tuple[list[str], Binning | None, Floats]:
    """Names and values of the columns that take part, and the binning that they are coded by."""
    names, columns = open_rows(store, request.alignment, request.fingerprint)
    if request.binning is None:
        return names, None, columns
    binning = store.load_binning(request.binning)
    if names != binning.columns:
        raise NotAligned("the columns of this party are not those that were binned: bin again")
    return binning.names, binning, woe_columns(binning, columns)
