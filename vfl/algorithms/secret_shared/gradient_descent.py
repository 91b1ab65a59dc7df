"""Gradient steps on secret shares: each party updates its own shares with matrices that both know.

A step of gradient descent with momentum (Polyak 1964), preconditioned by the bound ``X'X / 4`` of the
Hessian (Boehning and Lindsay 1988) over both parties' coordinates:

    t' = t - gain (gradient + penalty t) + momentum (t - t before)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vfl.algorithms.secret_shared.fourier import PERIOD, SHARE_BITS, Series
from vfl.algorithms.secret_shared.whitening import FRACTION_BITS
from vfl.arrays import Float64

UNIT = PERIOD * 2.0 ** (FRACTION_BITS - SHARE_BITS)
"""Of a coefficient's share: times a whole coordinate it is a share of the linear predictor."""

GRADIENT_BITS = 40
"""Binary places of a gradient's share."""

FACTOR_BITS = 64
"""Binary places of the factors of a step; the same whole numbers at both parties."""

LEAST = 0.01
"""Eigenvalue of the scaled bound below which the two parties' columns count as equal there."""

FLATTEST, STEEPEST = 1e-3, 0.1
"""What the least curvature over both parties' columns is taken to be, of the bound's, at least and at most:
nobody knows it, and a feature party's columns may be flatter than the label party's."""

CAUTION = 0.8
"""Between these, its fraction of the least curvature over the label party's columns alone."""


@dataclass(frozen=True)
class Plan:
    """What both parties know about all steps.

    Attributes:
        gain: float64 [d, d], factor of the gradient; damping: float64 [d, d], factor of the coefficients.
        momentum: factor of the last step.
        level: how far from one half the constant of the series is.
        amplitudes: float64 [HARMONICS], of the series that stands for the logistic function.
    """

    gain: Float64
    damping: Float64
    momentum: float
    level: float
    amplitudes: Float64

    @classmethod
    def from_cross_products(
        cls,
        rows: int,
        cross: Float64,
        penalties: tuple[Float64, Float64],
        flattest: float,
        series: Series,
    ) -> Plan:
        """The plan for a bound ``rows / 4`` times the identity at each party.

        With curvatures between m and 1 of the bound the distance to the solution shrinks by the root of the
        momentum each step (Polyak 1964).

        Args:
            cross: float64 [k, f], sums over rows of products of the parties' coordinates.
            penalties: [k, k] and [f, f].
            flattest: least curvature of the label party's own problem, as a fraction of the bound.
        """
        k, f = cross.shape
        between = cross / rows
        bound = np.block([[np.eye(k), between], [between.T, np.eye(f)]])
        values, axes = np.linalg.eigh(bound)
        inverse = (axes / np.maximum(values, LEAST)) @ axes.T * (4 / rows)
        root = math.sqrt(min(max(CAUTION * flattest, FLATTEST), STEEPEST))
        gain = 4 / (1 + root) ** 2 * inverse
        penalty = np.zeros((k + f, k + f))
        penalty[:k, :k], penalty[k:, k:] = penalties
        momentum = ((1 - root) / (1 + root)) ** 2
        return cls(gain, gain @ penalty, momentum, series.constant - 0.5, series.amplitudes)

    def steps(self, accuracy: float) -> int:
        """After how many steps the first distance to the solution should have shrunk to an accuracy."""
        return 2 + math.ceil(2 * math.log(accuracy) / math.log(self.momentum))


class Weights:
    """One party's whole-number shares of all coefficients, in units of `UNIT`.

    Args:
        plan: of all steps.
        start: one share for each coefficient.

    Attributes:
        now, before: shares after the last step and before it.
    """

    def __init__(self, plan: Plan, start: list[int]) -> None:
        scale = 2.0 ** (FACTOR_BITS - GRADIENT_BITS) / UNIT
        self._gain = _whole(plan.gain * scale)
        self._damping = _whole(plan.damping * 2.0**FACTOR_BITS)
        self._momentum = round(plan.momentum * 2.0**FACTOR_BITS)
        self.now, self.before = start, start

    def step(self, gradient: list[int]) -> None:
        """Take a step along shares of the gradient; what both parties round is a unit of a coefficient."""
        moved = []
        for j, (now, before) in enumerate(zip(self.now, self.before, strict=True)):
            pull = sum(a * g for a, g in zip(self._gain[j], gradient, strict=True))
            pull += sum(a * t for a, t in zip(self._damping[j], self.now, strict=True))
            moved.append(now + ((self._momentum * (now - before) - pull) >> FACTOR_BITS))
        self.now, self.before = moved, self.now


def whole_gradient(gradient: Float64) -> list[int]:
    """Numbers as shares of a gradient."""
    return [round(value * 2.0**GRADIENT_BITS) for value in gradient.tolist()]


def _whole(matrix: Float64) -> list[list[int]]:
    return [[round(value) for value in row] for row in matrix.tolist()]
