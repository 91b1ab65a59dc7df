"""The logistic function as a sum of waves, so that two parties can evaluate it on shares of its argument.

The linear predictor z is shared modulo a period: ``z = u + v (mod PERIOD)``. By the addition theorem
``sin(a (u + v)) = sin(a u) cos(a v) + cos(a u) sin(a v)``: each wave takes two products of a number that one
party knows and one that the other knows, all between -1 and 1 whatever the share. A polynomial of the same
accuracy takes products of numbers that grow with the shares, and diverges outside its interval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

SHARE_BITS = 40
"""A share of a linear predictor is a whole number modulo ``2^SHARE_BITS``, which stands for a period."""

PERIOD = 24.0

REACH = 9.0
"""How far from 0 the waves are the logistic function, to 0.002. Half a period away they are 0.5 again."""

AMPLITUDES: Float64 = np.array([0.591471, -0.031426, 0.11919, -0.022059, 0.030662, -0.006693, 0.005589])
"""Of the waves ``sin(2 pi k z / PERIOD)``, k = 1, 2, ...: the least squares fit to the logistic function less
one half on [-REACH, REACH], weighted by a normal density of deviation 3 plus 0.001. Its slope is nowhere
above one quarter, the logistic function's."""

WAVES = 2 * len(AMPLITUDES)
"""Numbers of a share: the cosine of each wave, then its sine, wave by wave."""

WAVE_BITS = 12
"""Of a wave as a whole number, sign included."""

LARGEST_WAVE = 2 ** (WAVE_BITS - 1) - 1


def predicted(z: Float64) -> Float64:
    """What stands for the logistic function at z."""
    steps = 2 * np.pi / PERIOD * np.arange(1, len(AMPLITUDES) + 1)
    return np.asarray(0.5 + np.sin(np.asarray(z)[..., None] * steps) @ AMPLITUDES)


def waves(shares: Words) -> Float64:
    """Cosines and sines of shares [n], float64 [n, WAVES]."""
    turns = (shares & np.uint64(2**SHARE_BITS - 1)).astype(np.float64) / 2**SHARE_BITS
    angles = 2 * np.pi * turns[:, None] * np.arange(1, len(AMPLITUDES) + 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(shares), WAVES)


def whole_waves(values: Float64) -> Integers:
    """Numbers between -1 and 1 in units of ``1 / LARGEST_WAVE``."""
    return np.asarray(np.rint(values * LARGEST_WAVE).astype(np.int64))


PARTNER = np.arange(WAVES) ^ 1
"""The wave of one party that goes with each wave of the other: the sine with the cosine."""
