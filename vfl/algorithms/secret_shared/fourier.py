"""A Fourier series for the logistic function, which two parties can evaluate on shares of its argument.

The linear predictor z is shared modulo a period: ``z = u + v (mod PERIOD)``. By the addition theorem
``sin(a (u + v)) = sin(a u) cos(a v) + cos(a u) sin(a v)``: each harmonic takes two products of a number that
one party knows and one that the other knows, all between -1 and 1 whatever the share. A polynomial of the
same accuracy takes products of numbers that grow with the shares, and diverges outside its interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64, Integers

Words = npt.NDArray[np.uint64]

SHARE_BITS = 32
"""A share of a linear predictor is a whole number modulo ``2^SHARE_BITS``, which stands for a period."""

PERIOD = 24.0

HARMONICS = 7
"""Of the series: one, two, ... turns a period."""

RADIUS = 9.0
"""How far from its centre the series is the logistic function, to 0.01, or 0.001 within six. It repeats
itself after a period."""

DENSITY = 3.0
"""Deviation of the normal density by which errors are weighed."""

TERMS = 2 * HARMONICS
"""Numbers of a share: the cosine of each harmonic, then its sine, harmonic by harmonic."""

TERM_BITS = 12
"""Of a cosine or sine as a whole number, sign included."""

LARGEST_TERM = (1 << (TERM_BITS - 1)) - 1

PARTNER = np.arange(TERMS) ^ 1
"""Which number of one party is multiplied with each number of the other: the sine with the cosine."""

NO_PHASES: Float64 = np.zeros(HARMONICS)


@dataclass(frozen=True)
class Series:
    """``constant + sum of amplitude sin(2 pi k z / PERIOD + phase)``, k = 1, 2, ..., HARMONICS."""

    constant: float
    amplitudes: Float64
    phases: Float64

    @classmethod
    def fit(cls, centre: float) -> Series:
        """Return the weighted least squares fit to the logistic function within `RADIUS` of a centre."""
        z = np.linspace(-RADIUS, RADIUS, 4001) + centre
        angles = z[:, None] * _frequencies()
        functions = np.hstack([np.ones((len(z), 1)), np.sin(angles), np.cos(angles)])
        root = np.sqrt(np.exp(-0.5 * ((z - centre) / DENSITY) ** 2) + 1e-3)[:, None]
        target = (0.5 + 0.5 * np.tanh(z / 2))[:, None]
        solution, *_ = np.linalg.lstsq(functions * root, target * root, rcond=None)
        sines, cosines = solution[1 : HARMONICS + 1, 0], solution[HARMONICS + 1 :, 0]
        return cls(float(solution[0, 0]), np.hypot(sines, cosines), np.arctan2(cosines, sines))

    def value(self, z: Float64) -> Float64:
        """Return what stands for the logistic function at z [n]."""
        return np.asarray(self.constant + np.sin(z[:, None] * _frequencies() + self.phases) @ self.amplitudes)


def harmonics(shares: Words, phases: Float64) -> Float64:
    """Return cosines and sines of shares [n], float64 [n, TERMS]; one of two parties adds the phases."""
    turns = (shares & np.uint64(2**SHARE_BITS - 1)).astype(np.float64) / 2**SHARE_BITS
    angles = 2 * np.pi * turns[:, None] * np.arange(1, HARMONICS + 1) + phases
    return np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(shares), TERMS)


def whole_terms(values: Float64) -> Integers:
    """Return numbers between -1 and 1 in units of ``1 / LARGEST_TERM``."""
    return np.asarray(np.rint(values * LARGEST_TERM).astype(np.int64))


def _frequencies() -> Float64:
    return np.asarray(2 * np.pi / PERIOD * np.arange(1, HARMONICS + 1))
