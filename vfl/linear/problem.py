"""The label party's half of the mathematics: its own columns and all offered directions, fitted together."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vfl.linear.loss import LOSSES
from vfl.linear.solver import Penalty, minimise
from vfl.params import LinearParams

Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SINGULAR = 1e-10
"""Eigenvalues of the scaled curvature, of the largest, below which columns depend on one another."""

STALE = 0.01
"""Curvatures are told anew once they differ by this share of their sum: more directions would cost more."""


@dataclass
class Offered:
    """What one feature party has offered.

    Attributes:
        base: float64 [n], the part of the linear predictor that stays.
        live: float64 [n, k], directions; coefficients: float64 [k].
        square, linear: their penalty, see `vfl.linear.direction.Direction`.
        fresh: whether the one live direction is taken between 0 and 1.
    """

    base: Float64
    live: Float64
    coefficients: Float64 = field(default_factory=lambda: np.zeros(0))
    square: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    linear: Float64 = field(default_factory=lambda: np.zeros(0))
    fresh: bool = False

    @classmethod
    def nothing(cls, rows: int) -> Offered:
        return cls(np.zeros(rows), np.zeros((rows, 0)))

    def take(self, values: Float64, *, fresh: bool, square: Float64, linear: Float64) -> None:
        """Add a direction, with a coefficient of 0."""
        if fresh:
            self.base = self.base + self.live @ self.coefficients
            self.live, self.coefficients = self.live[:, :0], self.coefficients[:0]
        self.live = np.column_stack([self.live, values])
        self.coefficients = np.append(self.coefficients, 0.0)
        self.square, self.linear, self.fresh = square, linear, fresh

    def predictor(self) -> Float64:
        """The party's part of the linear predictor, float64 [n]."""
        return self.base + self.live @ self.coefficients


class Problem:
    """The whole problem as the label party sees it.

    Args:
        columns: float64 [n, m], its own, scaled.
        y, weights: float64 [n].
        parties: how many feature parties take part.

    Attributes:
        own: float64 [intercept and m], coefficients of the intercept (if fitted) and of its own columns.
        offered: by feature party.
    """

    def __init__(
        self, params: LinearParams, columns: Float64, y: Float64, weights: Float64, parties: int
    ) -> None:
        n, m = columns.shape
        self._loss, self._y, self._weights = LOSSES[params.loss], y, weights
        intercept = int(params.fit_intercept)
        self._columns = np.column_stack([np.ones((n, intercept)), columns])
        free = np.zeros(intercept)
        self._l2 = np.append(free, np.full(m, params.l2))
        self._l1 = np.append(free, np.full(m, params.l1))
        self.own = np.zeros(intercept + m)
        if intercept:
            self.own[0] = self._loss.start(float(np.average(y, weights=weights)))
        self._told: tuple[Float64, npt.NDArray[np.bool_]] | None = None
        self.offered = [Offered.nothing(n) for _ in range(parties)]

    def solve(self) -> None:
        """Minimise over own columns and live directions."""
        offers, m = self.offered, len(self.own)
        square = np.diag(self._l2)
        for offer in offers:
            square = _beside(square, offer.square)
        linear = np.concatenate([np.zeros(m), *(offer.linear for offer in offers)])
        l1 = np.append(self._l1, np.zeros(len(linear) - m))
        bounds = [np.full(m, np.inf), *(np.full(len(o.linear), 1.0 if o.fresh else np.inf) for o in offers)]
        lowest = [np.full(m, -np.inf), *(np.full(len(o.linear), 0.0 if o.fresh else -np.inf) for o in offers)]
        solution = minimise(
            self._loss,
            np.column_stack([self._columns, *(offer.live for offer in offers)]),
            np.sum([np.zeros(len(self._y)), *(offer.base for offer in offers)], axis=0),
            self._y,
            self._weights,
            Penalty(square, linear, l1, np.concatenate(lowest), np.concatenate(bounds)),
            np.concatenate([self.own, *(offer.coefficients for offer in offers)]),
        )
        self.own, end = solution[:m], m
        for offer in offers:
            start, end = end, end + len(offer.linear)
            offer.coefficients = solution[start:end]

    def residuals(self) -> tuple[Float64, Float64]:
        """Weighted residuals and curvatures of every row, float64 [n]."""
        z = self._columns @ self.own
        for offer in self.offered:
            z = z + offer.predictor()
        return self._weights * (self._loss.mean(z) - self._y), self._weights * self._loss.curvature(z)

    def outdated(self, curvatures: Float64) -> bool:
        """Whether feature parties need these curvatures: they have none, or others by `STALE`, or other own
        columns take part. Those asked about last count as told where the answer was yes."""
        part = self._taking_part()
        if self._told is not None:
            told, told_part = self._told
            near = np.abs(curvatures - told).sum() <= STALE * told.sum()
            if near and np.array_equal(part, told_part):
                return False
        self._told = curvatures, part
        return True

    def _taking_part(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.own != 0) | (self._l1 == 0))

    def block(self, curvatures: Float64, most: int) -> Float64:
        """Own columns times curvatures, turned so that nobody can tell one column from another.

        With X the columns that take part (an intercept, and those that the L1 penalty leaves), P their
        penalty and ``X' D X + P = V diag(e) V'``, these are the columns of ``D X V diag(e)^-1/2 R``: what
        a feature party needs to leave out of its curvature what the label party's columns do as well. R is
        a fresh random rotation. Of more columns than ``most`` those of the largest e are kept.

        Returns:
            float64 [n, k], k at most ``most``.
        """
        part = self._taking_part()
        columns, penalty = self._columns[:, part], self._l2[part]
        scale = np.sqrt(np.maximum((columns**2).T @ curvatures + penalty, np.finfo(np.float64).tiny))
        columns = columns / scale
        inner = (columns * curvatures[:, None]).T @ columns + np.diag(penalty / scale**2)
        values, axes = np.linalg.eigh(inner)
        kept = np.flatnonzero(values > SINGULAR * values.max(initial=0.0))[::-1][:most]
        turned = columns @ (axes[:, kept] / np.sqrt(values[kept])) @ random_rotation(len(kept))
        return np.asarray(curvatures[:, None] * turned)


def random_rotation(size: int) -> Float64:
    """A uniformly random orthogonal matrix from the operating system's generator.

    Normal numbers by Box and Muller (1958), made orthogonal by QR (Stewart 1980).
    """
    raw = np.frombuffer(secrets.token_bytes(16 * size * size), dtype="<u8").reshape(2, size, size)
    radius, turn = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    normal = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * turn)
    q, r = np.linalg.qr(normal)
    return np.asarray(q * np.sign(np.diag(r)))


def _beside(a: Float64, b: Float64) -> Float64:
    """Two square matrices as blocks of one."""
    joined = np.zeros((len(a) + len(b),) * 2)
    joined[: len(a), : len(a)], joined[len(a) :, len(a) :] = a, b
    return joined


class KnownRows:
    """Which plaintext stands for each row of the label party at one feature party.

    The rows that it knows come first, in the order of the alignment; one more stands for all others, if any.

    Args:
        known: int64, distinct rows of the label party.
        n: rows of the label party.
    """

    def __init__(self, known: Integers, n: int) -> None:
        self.known, self._n = known, n
        place = np.full(n, len(known), dtype=np.int64)
        place[known] = np.arange(len(known))
        self._place, self._unknown = place, np.flatnonzero(place == len(known))

    def __len__(self) -> int:
        """Plaintexts of a pass."""
        return len(self.known) + bool(len(self._unknown))

    def others(self, values: Integers) -> Integers:
        """What the row for all others holds: the sum [1, k] over them, or nothing [0, k]."""
        if not len(self._unknown):
            return values[:0]
        return np.asarray(values[self._unknown].sum(axis=0, keepdims=True))

    def spread(self, values: Sequence[float] | npt.NDArray[np.floating]) -> Float64:
        """Values of the plaintexts' rows as values [n] of the label party's rows."""
        return np.asarray(values, dtype=np.float64)[self._place]
