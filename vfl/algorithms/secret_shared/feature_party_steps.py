"""The steps of gradient descent at the feature party, phase by phase."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, SumShares
from vfl.algorithms.secret_shared.encoding import share_bytes, shares_of
from vfl.algorithms.secret_shared.gradient_step import GradientStep, HarmonicSums, Words
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.errors import NotAllowed, OutOfRange, OutOfSequence
from vfl.linear_model.columns import TrainingColumns
from vfl.linear_model.evidence import BinningStore
from vfl.trace import span
from vfl.wire.worker import Answer, Ended, Phase, answers


@dataclass(frozen=True)
class SharedJob:
    """What a job works with from its opening to its end.

    Attributes:
        store: this party's.
        model: name of the model.
        columns: that take part.
        basis: their coordinates.
        ciphers: both parties' keys.
    """

    store: BinningStore
    model: str
    columns: TrainingColumns
    basis: Basis
    ciphers: Ciphers


@dataclass(frozen=True, eq=False)
class Stepping(Phase):
    """Between steps.

    Attributes:
        job: opened.
        gradient_step: this party's part of all steps.
        done, left: numbers of steps.
    """

    job: SharedJob
    gradient_step: GradientStep
    done: int
    left: int

    @answers(m.OpenStep)
    def open(self, request: m.OpenStep) -> Answer:
        """Exchange encrypted weights, and give predictors of this party's rows, masked."""
        if not self.left:
            raise NotAllowed("the job has no steps left")
        with span("predictors"):
            predictors, masks = self.gradient_step.predictors(request.weights)
            opened = m.StepOpened(self.gradient_step.encrypted_weights(), predictors)
        return opened, Sharing(replace(self, left=self.left - 1), masks)

    @answers(m.CloseShared)
    def close(self, request: m.CloseShared) -> Answer:
        """Store this party's coefficients, and give the shares of the other's."""
        job, weights = self.job, self.gradient_step.weights
        d, k = job.basis.width, job.ciphers.peer.width
        coefficients, change = self.gradient_step.coefficients(
            shares_of(request.now, d), shares_of(request.before, d)
        )
        if not (np.abs(coefficients) < 1e30).all():
            raise OutOfRange("the shares are no coefficients")
        part = job.columns.part(coefficients)
        job.store.save_part(job.model, part)
        now, before = share_bytes(weights.now[:k]), share_bytes(weights.before[:k])
        return m.SharedClosed(now, before, change, part.terms.base, part.terms.unknown()), Ended()


@dataclass(frozen=True, eq=False)
class Sharing(Phase):
    """Before this party has its share of every row's predictor.

    Attributes:
        steps: as they are after this one is opened.
        masks: on the predictors that were given, uint64 [rows].
    """

    steps: Stepping
    masks: Words

    @answers(m.GivePredictors)
    def share(self, request: m.GivePredictors) -> Answer:
        """Take the other party's masked predictors."""
        with span("decrypt"):
            sums = self.steps.gradient_step.harmonic_sums(self.masks, request.predictors)
        return m.PredictorsTaken(self.steps.job.ciphers.rows), Exchanging(self.steps, sums)


class Exchanging(Phase):
    """While harmonics of both parties' shares are exchanged.

    The other party's are summed when the next request comes, while that party sums as well.
    """

    def __init__(self, steps: Stepping, sums: HarmonicSums) -> None:
        self._steps, self._sums = steps, sums
        self._rows = steps.job.ciphers.rows
        self._received = 0
        self._waiting: list[tuple[bytes, slice]] = []

    @answers(m.ExchangeHarmonics)
    def exchange(self, request: m.ExchangeHarmonics) -> Answer:
        """Take harmonics of some rows, and give this party's."""
        self._sum_waiting()
        rows = slice(self._received, self._received + request.rows)
        if request.offset != rows.start or rows.stop > self._rows:
            raise OutOfRange(f"row {self._received} of {self._rows} was due")
        self._received = rows.stop
        self._waiting.append((request.ciphertexts, rows))
        with span("encrypt"):
            return m.HarmonicsExchanged(self._sums.encrypted(rows)), self

    @answers(m.AskGradient)
    def mask(self, request: m.AskGradient) -> Answer:
        """Give the sums, masked."""
        if self._received != self._rows:
            raise OutOfSequence(f"{self._received} of {self._rows} rows have come")
        self._sum_waiting()
        with span("mask"):
            masked, shares = self._sums.masked()
        return m.GradientGiven(masked), Summed(self._steps, self._sums, shares)

    def _sum_waiting(self) -> None:
        for ciphertexts, rows in self._waiting:
            with span("sum harmonics"):
                self._sums.add(ciphertexts, rows)
        self._waiting.clear()


@dataclass(frozen=True, eq=False)
class Summed(Phase):
    """Before the other party's sums come.

    Attributes:
        steps: as they are before this one is taken.
        sums: of this step.
        shares: this party's, of its own sums.
    """

    steps: Stepping
    sums: HarmonicSums
    shares: list[SumShares]

    @answers(m.GiveGradient)
    def step(self, request: m.GiveGradient) -> Answer:
        """Take the step."""
        with span("step"):
            self.steps.gradient_step.step(self.sums, self.shares, request.sums)
        steps = replace(self.steps, done=self.steps.done + 1)
        return m.GradientTaken(steps.done), steps
