"""A feature party's half of the mathematics: a quadratic model of its coefficients, and directions from it.

Its coefficients are ``w = D a``: the directions D that it offered, combined by the label party. What a step
to the model's minimum adds to their span is a new direction; all else about it the label party has already.
Without an L1 penalty the label party is free to choose a. With one it is free while no coefficient changes
its sign or becomes zero, since the penalty is linear in a there; otherwise it may go as far as the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vfl.arrays import Float32, Float64
from vfl.linear_model.solver import Penalty, quadratic_minimum

NULL = 1e-9
"""Variance of a principal component, of the largest, below which columns depend on one another."""

CURVED = 1e-6
"""Least eigenvalue of the curvature, of its largest: encrypted products are rounded."""

SPANNED = 1e-9
"""Fraction of a step outside the directions below which it lies within them."""

ZERO = 1e-8
"""Fraction of the terms of a coefficient below which their sum is zero."""


@dataclass(frozen=True)
class Offer:
    """Where a feature party lets its coefficients move: ``a = base + mixing t``; the label party chooses t.

    Attributes:
        values: float32 [rows], how each row's linear predictor changes along a new direction; None where the
            step lies within those offered before.
        base: float64 [directions].
        mixing: float64 [directions, k].
        bounded: whether t, one number, lies between 0 and 1.
        square: float64 [k, k], linear: float64 [k]; the penalty is ``t' square t / 2 + linear' t`` up to a
            constant: at most that where t is bounded, otherwise that while no coefficient changes its sign.
    """

    values: Float32 | None
    base: Float64
    mixing: Float64
    bounded: bool
    square: Float64
    linear: Float64


class Directions:
    """The coefficients of one feature party, and what it offers.

    Args:
        columns: float64 [rows, f].
        l2, l1: factors of half the squared and of the absolute coefficients.
        tol: no direction is offered whose largest coefficient is smaller.
        most: directions that are offered at most.
        before: float64 [f] each, directions that were offered before training was interrupted. They are
            offered again in their order, and only then new ones, so that no attempt adds to what the label
            party knows. An honest one asks for them anyway.

    Attributes:
        w: float64 [f], the coefficients as combined last.
        components: float64 [rows, f], the columns' principal components scaled to variance 1; their
            products with one another are well conditioned however much the columns have in common.
    """

    def __init__(
        self,
        columns: Float64,
        *,
        l2: float,
        l1: float,
        tol: float,
        most: int,
        before: Sequence[Float64] = (),
    ) -> None:
        self._earlier = before
        self._columns, self._l2, self._l1, self._tol, self._most = columns, l2, l1, tol, most
        rows, f = columns.shape
        variance, axes = np.linalg.eigh(columns.T @ columns / rows)
        deviation = np.sqrt(np.maximum(variance, 0.0))
        there = variance > NULL * max(float(variance[-1]), np.finfo(np.float64).tiny)
        self.components = columns @ (axes * np.divide(1, deviation, out=np.zeros(f), where=there))
        self._mixing = np.where(there, deviation, 0.0)[:, None] * axes.T
        self._curvature = np.zeros((f, f))
        self.w = np.zeros(f)
        self._directions, self._coefficients = np.zeros((f, 0)), np.zeros(0)
        # The signs in the last offer's L1 term, the coefficients at that time, and whether the signs changed.
        self._face: Float64 | None = None
        self._before = np.zeros(0)
        self._crossed = False

    @property
    def offered(self) -> int:
        """Directions offered so far."""
        return self._directions.shape[1]

    def offered_after(self, count: int) -> Float64:
        """Coefficients [k, f] of the directions offered after the first ``count``."""
        return self._directions.T[count:]

    def curve(self, products: Float64, block: Float64) -> None:
        """Set new curvatures.

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

    def offer(self, step: Float64) -> Offer | None:
        """Offer a step; None where it is small or would need one direction too many."""
        if np.abs(step).max(initial=0.0) <= self._tol:
            return None
        if self._crossed:
            return self._offer_of(None, *self._retreat())
        within, new = self._split(step)
        if new.any():
            if self.offered >= self._most:
                return None
            if self.offered < len(self._earlier):
                direction = self._earlier[self.offered]
            else:
                direction = new * np.sqrt(len(self._columns)) / np.linalg.norm(self._columns @ new)
            self._directions = np.column_stack([self._directions, direction])
            self._coefficients = np.append(self._coefficients, 0.0)
            within, _ = self._split(step)
        elif not self._l1:
            return None
        values = (self._columns @ self._directions[:, -1]).astype(np.float32) if new.any() else None
        return self._offer_of(values, *self._constraints(within, np.sign(self.w + step)))

    def _offer_of(
        self, values: Float32 | None, base: Float64, mixing: Float64, bounded: bool, norm: Float64
    ) -> Offer:
        moves = self._directions @ mixing
        linear = self._l2 * (moves.T @ (self._directions @ base)) + self._l1 * norm
        return Offer(values, base, mixing, bounded, self._l2 * (moves.T @ moves), linear)

    def combine(self, coefficients: Float64) -> None:
        """Set the label party's coefficients [offered] of the directions."""
        self._coefficients = coefficients
        self.w = self._combined(coefficients)
        self._crossed = self._face is not None and not np.array_equal(self._face, np.sign(self.w))

    def _combined(self, coefficients: Float64) -> Float64:
        """Return their w; under L1 what is zero up to rounding is zero."""
        w = self._directions @ coefficients
        rounding = ZERO * (np.abs(self._directions) @ np.abs(coefficients))
        return np.where(np.abs(w) <= rounding, 0.0, w) if self._l1 else w

    def _split(self, step: Float64) -> tuple[Float64, Float64]:
        """A step as a combination of directions, and what is left, with values orthogonal to theirs.

        Directions alike would let rounding of their values be combined into noise.
        """
        basis, within, new = self._columns @ self._directions, np.zeros(self.offered), step
        for _ in range(2):  # the second time for what rounding left
            if self.offered:
                part, *_ = np.linalg.lstsq(basis, self._columns @ new, rcond=None)
                within, new = within + part, new - self._directions @ part
        small = SPANNED * float(np.linalg.norm(self._columns @ step))
        if float(np.linalg.norm(self._columns @ new)) <= small:
            new = np.zeros_like(step)
        return within, new

    def _retreat(self) -> tuple[Float64, Float64, bool, Float64]:
        """The segment from the coefficients before a sign changed to the first zero on the way.

        The penalty is exact there, so the label party ends no worse than before, and the coefficient at the
        zero can be left out.
        """
        here, there = self._combined(self._before), self.w
        crossing = np.flatnonzero(here * there < 0)
        parts = here[crossing] / (here[crossing] - there[crossing])
        way = float(parts.min(initial=1.0)) * (self._coefficients - self._before)
        norm = np.abs(self._combined(self._before + way)).sum() - np.abs(here).sum()
        self._face, self._crossed = None, False
        return self._before, way[:, None], True, np.array([norm])

    def _constraints(self, step: Float64, face: Float64) -> tuple[Float64, Float64, bool, Float64]:
        """Where the label party may go: base, mixing, whether bounded, and how the L1 norm changes.

        Args:
            step: [offered], to the minimum of the quadratic model, in directions.
            face: [f], signs of the coefficients there.
        """
        here, count = self._coefficients, self.offered
        if not self._l1:
            return np.zeros(count), np.eye(count), False, np.zeros(count)
        self._face = None
        if not np.array_equal(face, np.sign(self.w)):
            # The norm is convex, so between the two ends it is at most linear.
            norm = np.abs(self._combined(here + step)).sum() - np.abs(self.w).sum()
            return here, step[:, None], True, np.array([norm])
        outside = self._directions[face == 0]
        _, sizes, axes = np.linalg.svd(outside)
        rank = int(np.count_nonzero(sizes > SPANNED * sizes.max(initial=0.0)))
        mixing = axes[rank:].T
        self._face, self._before = face, here
        return np.zeros(count), mixing, False, face @ self._directions @ mixing
