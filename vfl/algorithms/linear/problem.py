"""The label party's half of the mathematics: its own columns and all offered directions, fitted together."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64, Integers
from vfl.linear_model.loss import LOSSES
from vfl.linear_model.params import LinearParams
from vfl.linear_model.solver import Penalty, minimise

SINGULAR = 1e-10
"""Eigenvalues of the scaled curvature, of the largest, below which columns depend on one another."""

STALE = 0.01
"""Curvatures are sent again once they differ by this fraction of their sum: more directions cost more."""


@dataclass
class Offered:
    """What one feature party has offered: directions, and how they may be combined.

    Attributes:
        values: float64 [n, directions].
        coefficients: float64 [directions], as combined last.
        base, mixing, bounded, square, linear: see `vfl.algorithms.linear.directions.Offer`.
    """

    values: Float64
    coefficients: Float64 = field(default_factory=lambda: np.zeros(0))
    base: Float64 = field(default_factory=lambda: np.zeros(0))
    mixing: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    bounded: bool = False
    square: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    linear: Float64 = field(default_factory=lambda: np.zeros(0))

    def add(self, values: Float64) -> None:
        """Add a new direction [n], with a coefficient of 0."""
        self.values = np.column_stack([self.values, values])
        self.coefficients = np.append(self.coefficients, 0.0)

    def set_constraints(
        self, base: Float64, mixing: Float64, *, bounded: bool, square: Float64, linear: Float64
    ) -> None:
        """Set how directions may be combined."""
        self.base, self.mixing, self.bounded = base, mixing, bounded
        self.square, self.linear = square, linear

    def start(self) -> Float64:
        """The choice t [k] that gives the present coefficients."""
        if not self.mixing.size:
            return np.zeros(self.mixing.shape[1])
        t, *_ = np.linalg.lstsq(self.mixing, self.coefficients - self.base, rcond=None)
        return np.clip(t, 0.0, 1.0) if self.bounded else np.asarray(t)

    def choose(self, t: Float64) -> None:
        """Combine the directions."""
        self.coefficients = self.base + self.mixing @ t

    def predictor(self) -> Float64:
        """The party's part of the linear predictor, float64 [n]."""
        return np.asarray(self.values @ self.coefficients)


class Problem:
    """The whole problem as the label party sees it.

    Args:
        columns: float64 [n, m], its own, scaled.
        y, weights: float64 [n].
        parties: how many feature parties take part.
        secret: what only this party knows; see `rotation`.

    Attributes:
        own: float64 [intercept and m], coefficients of the intercept (if fitted) and of its own columns.
        offered: by feature party.
    """

    def __init__(
        self,
        params: LinearParams,
        columns: Float64,
        y: Float64,
        weights: Float64,
        parties: int,
        secret: bytes,
    ) -> None:
        n, m = columns.shape
        self._secret = secret
        self._loss, self._y, self._weights = LOSSES[params.loss], y, weights
        intercept = int(params.fit_intercept)
        self._columns = np.column_stack([np.ones((n, intercept)), columns])
        free = np.zeros(intercept)
        self._l2 = np.append(free, np.full(m, params.l2))
        self._l1 = np.append(free, np.full(m, params.l1))
        self.own = np.zeros(intercept + m)
        if intercept:
            self.own[0] = self._loss.start(float(np.average(y, weights=weights)))
        self._reference: tuple[Float64, npt.NDArray[np.bool_]] | None = None
        self.offered = [Offered(np.zeros((n, 0))) for _ in range(parties)]

    def solve(self) -> None:
        """Minimise over own columns and all that feature parties leave open."""
        offers, m = self.offered, len(self.own)
        square, high = np.diag(self._l2), np.full(m, np.inf)
        low, offset = -high, np.zeros(len(self._y))
        for offer in offers:
            square = _beside(square, offer.square)
            high = np.append(high, np.full(len(offer.linear), 1.0 if offer.bounded else np.inf))
            low = np.append(low, np.full(len(offer.linear), 0.0 if offer.bounded else -np.inf))
            offset = offset + offer.values @ offer.base
        linear = np.concatenate([np.zeros(m), *(offer.linear for offer in offers)])
        solution = minimise(
            self._loss,
            np.column_stack([self._columns, *(offer.values @ offer.mixing for offer in offers)]),
            offset,
            self._y,
            self._weights,
            Penalty(square, linear, np.append(self._l1, np.zeros(len(linear) - m)), low, high),
            np.concatenate([self.own, *(offer.start() for offer in offers)]),
        )
        self.own, end = solution[:m], m
        for offer in offers:
            start, end = end, end + len(offer.linear)
            offer.choose(solution[start:end])

    def residuals(self) -> tuple[Float64, Float64]:
        """Weighted residuals and curvatures of every row, float64 [n]."""
        z = self._columns @ self.own
        for offer in self.offered:
            z = z + offer.predictor()
        return self._weights * (self._loss.mean(z) - self._y), self._weights * self._loss.curvature(z)

    def outdated(self, curvatures: Float64) -> bool:
        """Whether feature parties need these curvatures: they have none, or others by `STALE`, or other own
        columns take part. If so, these become the reference."""
        part = self._taking_part()
        if self._reference is not None:
            reference, reference_part = self._reference
            near = np.abs(curvatures - reference).sum() <= STALE * reference.sum()
            if near and np.array_equal(part, reference_part):
                return False
        self._reference = curvatures, part
        return True

    def _taking_part(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.own != 0) | (self._l1 == 0))

    def block(self, curvatures: Float64, most: int) -> Float64:
        """Own columns times curvatures, turned so that nobody can tell one column from another.

        With X the columns that take part (an intercept, and those that the L1 penalty leaves), P their
        penalty and ``X' D X + P = V diag(e) V'``, these are the columns of ``D X V diag(e)^-1/2 R``: what
        a feature party needs to leave out of its curvature what the label party's columns do as well. R is
        a random rotation, see `rotation`. Of more columns than ``most`` those of the largest e are kept.

        Returns:
            float64 [n, k], k at most ``most``.
        """
        part = self._taking_part()
        columns, penalty = self._columns[:, part], self._l2[part]
        scale = np.sqrt(np.maximum((columns**2).T @ curvatures + penalty, np.finfo(np.float64).tiny))
        columns = columns / scale
        inner = (columns * curvatures[:, None]).T @ columns + np.diag(penalty / scale**2)
        values, axes = np.linalg.eigh(inner)
        largest = np.flatnonzero(values > SINGULAR * values.max(initial=0.0))[::-1][:most]
        straight = columns @ (axes[:, largest] / np.sqrt(values[largest]))
        return np.asarray(curvatures[:, None] * (straight @ rotation(self._secret, straight)))


def rotation(secret: bytes, columns: Float64) -> Float64:
    """A random orthogonal matrix [k, k] for columns [n, k], which nobody without the secret can tell.

    It is drawn from secret and columns, as RFC 6979 draws the number that a signature must not repeat: other
    columns have another rotation, and a training that begins again after a break sends what it sent before.
    Normal numbers by Box and Muller (1958), made orthogonal by QR (Stewart 1980).
    """
    size = columns.shape[1]
    seed = hmac.digest(secret, np.ascontiguousarray(columns).data, "sha256")
    drawn = hashlib.shake_256(seed).digest(16 * size * size)
    raw = np.frombuffer(drawn, dtype="<u8").reshape(2, size, size)
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
