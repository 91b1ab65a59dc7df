"""A feature party's half of the mathematics: a quadratic model of its coefficients, and directions from it.

Its coefficients are ``w = base + live a``: directions that it offered, combined by the label party. Without
an L1 penalty all directions stay live. With one they do as long as no coefficient changes its sign or
becomes zero, so that the penalty is linear in ``a``; otherwise w becomes the base and the new direction,
the way to the model's minimum, is taken between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.linear.solver import Penalty, quadratic_minimum

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

NULL = 1e-9
"""Variance of a principal component, of the largest, below which columns depend on one another."""

CURVED = 1e-6
"""Least eigenvalue of the curvature, of its largest: encrypted products are rounded."""

SPANNED = 1e-7
"""Share of a step outside the live directions below which it lies within them."""


@dataclass(frozen=True)
class Direction:
    """What a feature party offers: where the linear predictor may move, and what moving costs.

    Attributes:
        values: float32 [rows], change of each row's linear predictor along the direction.
        fresh: whether earlier directions are folded into the base, and the step is taken between 0 and 1.
        square: float64 [live, live], linear: float64 [live]; the penalty of live coefficients a is
            ``a' square a / 2 + linear' a`` up to a constant.
    """

    values: Float32
    fresh: bool
    square: Float64
    linear: Float64


class Directions:
    """The coefficients of one feature party, and what it offers.

    Args:
        columns: float64 [rows, f].
        l2, l1: factors of half the squared and of the absolute coefficients.
        tol: no direction is offered whose largest coefficient is smaller.
        most: directions that are offered at most.

    Attributes:
        w: float64 [f], the coefficients as combined last.
        offered: number of directions offered so far.
        components: float64 [rows, f], the columns' principal components scaled to variance 1; their
            products with one another are well conditioned however much the columns have in common.
    """

    def __init__(self, columns: Float64, *, l2: float, l1: float, tol: float, most: int) -> None:
        self._columns, self._l2, self._l1, self._tol, self._most = columns, l2, l1, tol, most
        rows, f = columns.shape
        variance, axes = np.linalg.eigh(columns.T @ columns / rows)
        deviation = np.sqrt(np.maximum(variance, 0.0))
        there = variance > NULL * max(float(variance[-1]), np.finfo(np.float64).tiny)
        self.components = columns @ (axes * np.divide(1, deviation, out=np.zeros(f), where=there))
        self._mixing = np.where(there, deviation, 0.0)[:, None] * axes.T
        self._curvature = np.zeros((f, f))
        self.w = np.zeros(f)
        self.offered = 0
        self._base, self._live = np.zeros(f), np.zeros((f, 0))

    @property
    def live(self) -> int:
        """How many directions the label party combines."""
        return self._live.shape[1]

    def curve(self, products: Float64, block: Float64) -> None:
        """Take new curvatures.

        Args:
            products: [f (f + 1) / 2], curvature-weighted sums of products of ``components``, in the order of
                ``numpy.triu_indices(f)``.
            block: [f, k], curvature-weighted sums of products of the columns with the label party's columns
                made orthonormal: what those could do as well is not curved.
        """
        f = len(self.w)
        inner = np.zeros((f, f))
        inner[np.triu_indices(f)] = products
        inner = inner + np.triu(inner, 1).T
        reduced = self._mixing.T @ inner @ self._mixing - block @ block.T
        values, axes = np.linalg.eigh(reduced)
        values = np.maximum(values, CURVED * max(float(values[-1]), 0.0))
        self._curvature = (axes * values) @ axes.T + self._l2 * np.eye(f)

    def step(self, gradient: Float64) -> Float64:
        """The step [f] to the minimum of the quadratic model.

        Args:
            gradient: [f], sums of columns times residuals.
        """
        f, Q = len(self.w), self._curvature
        unbounded = np.full(f, np.inf)
        penalty = Penalty(np.zeros((f, f)), np.zeros(f), np.full(f, self._l1), -unbounded, unbounded)
        slope = gradient + self._l2 * self.w - Q @ self.w
        return quadratic_minimum(Q, slope, penalty, self.w) - self.w

    def offer(self, step: Float64) -> Direction | None:
        """Offer a step as a direction; nothing where it is small, adds nothing, or the cap is reached."""
        if np.abs(step).max(initial=0.0) <= self._tol or self.offered >= self._most:
            return None
        face = np.sign(self.w + step)
        fresh = self._l1 > 0 and not self._keeps_face(face)
        if fresh:
            self._base, self._live = self.w, np.zeros((len(step), 0))
            new = step
        else:
            new = self._orthogonal(step)
            if not new.any():
                return None
        self._live = np.column_stack([self._live, new])
        self.offered += 1
        # Along a fresh direction the L1 norm is convex, so between 0 and 1 it is at most linear.
        whole_step = np.abs(self.w + step).sum() - np.abs(self.w).sum()
        norm = np.array([whole_step]) if fresh else face @ self._live
        linear = self._l2 * (self._live.T @ self._base) + self._l1 * norm
        square = self._l2 * (self._live.T @ self._live)
        return Direction((self._columns @ new).astype(np.float32), fresh, square, linear)

    def combine(self, coefficients: Float64) -> None:
        """Take the label party's coefficients [live] of the live directions."""
        self.w = self._base + self._live @ coefficients

    def _keeps_face(self, face: Float64) -> bool:
        """Whether the L1 penalty is linear around w and along every live direction."""
        return self.live > 0 and np.array_equal(face, np.sign(self.w)) and not self._live[face == 0].any()

    def _orthogonal(self, step: Float64) -> Float64:
        """The part of a step whose values are orthogonal to those of live directions, of mean square 1.

        Directions alike would let rounding of their values be combined into noise.
        """
        basis = self._columns @ self._live
        new = step
        for _ in range(2):  # the second time for what rounding left
            if self.live:
                within, *_ = np.linalg.lstsq(basis, self._columns @ new, rcond=None)
                new = new - self._live @ within
        length = float(np.linalg.norm(self._columns @ new))
        if length <= SPANNED * float(np.linalg.norm(self._columns @ step)):
            return np.zeros_like(step)
        return np.asarray(new * (np.sqrt(len(basis)) / length))
