"""The best split of a node from its histogram, as XGBoost's ``hist`` finds it on the CPU.

What XGBoost 3.x does, and this module repeats:

* Node sums are float64; a weight is ``-T(G, alpha) / (H + lambda)`` in float64, held to
  ``max_delta_step``, then rounded to float32. ``T`` is soft thresholding. A node whose H is below
  ``min_child_weight`` or not above 0 has weight 0.
* The gain of a node is ``T(G, alpha)^2`` rounded to float32, over ``H + lambda`` rounded to float32, where
  there is no ``max_delta_step``; otherwise ``-(2 G w + (H + lambda) w^2)`` with every operation in float32.
* The gain of a split is gain(left) + gain(right) - gain(node), each operation in float32.
* Bins are tried left to right with missing rows on the right, then, only if the node has missing rows in
  that feature, right to left with missing rows on the left. A later candidate must be strictly better,
  so the first of equals wins, and among features the lowest index.
* Both children need H of at least ``min_child_weight``. The one best candidate is kept; if its gain is
  at most 1e-6 or below ``gamma``, or a child has H of 0, the node stays a leaf. Nothing is pruned later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.algorithms.trees.params import TreeParams
from vfl.arrays import Float32, Float64, Integers

SMALLEST_GAIN = np.float32(1e-6)  # XGBoost's kRtEps


@dataclass(frozen=True)
class Sums:
    """Sum of gradients and of hessians over a node's rows, exact integers in fixed-point units."""

    G: float
    H: float


@dataclass(frozen=True)
class Candidate:
    """A candidate split.

    Attributes:
        gain: XGBoost's ``loss_chg``.
        feature: index into the features given to `best_split`.
        bin: rows in bins up to this one go left; -1 where only missing rows do.
        default_left: whether missing rows go left.
        left, right: sums of the two children.
    """

    gain: np.float32
    feature: int
    bin: int
    default_left: bool
    left: Sums
    right: Sums


class Criterion:
    """Weights and gains under one set of parameters, sums being in units of ``2^-fraction_bits``."""

    def __init__(self, params: TreeParams, fraction_bits: int) -> None:
        self.unit = 2.0**-fraction_bits
        # XGBoost stores every parameter as float32 and computes with that value.
        self.alpha = float(np.float32(params.reg_alpha))
        self.lambda_ = float(np.float32(params.reg_lambda))
        self.min_child_weight = float(np.float32(params.min_child_weight))
        self.max_delta_step = np.float32(params.max_delta_step)
        self.gamma = np.float32(params.gamma)
        self.learning_rate = np.float32(params.learning_rate)

    def weight(self, G: Float64 | float, H: Float64 | float) -> Float32:
        """Weight of nodes, before the learning rate; any shape."""
        g, h = np.multiply(G, self.unit), np.multiply(H, self.unit)
        with np.errstate(divide="ignore", invalid="ignore"):
            w = np.divide(-self._thresholded(g), h + self.lambda_)
        if self.max_delta_step:
            w = np.clip(w, -self.max_delta_step, self.max_delta_step)
        return np.where((h < self.min_child_weight) | (h <= 0), 0.0, w).astype(np.float32)

    def gain(self, G: Float64 | float, H: Float64 | float) -> Float32:
        """Gain of nodes, unsplit; any shape."""
        g, h = np.multiply(G, self.unit), np.multiply(H, self.unit)
        if self.max_delta_step:
            w, g32, h32 = self.weight(G, H), g.astype(np.float32), h.astype(np.float32)
            gain = -(np.float32(2) * g32 * w + (h32 + np.float32(self.lambda_)) * (w * w))
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                square = np.square(self._thresholded(g)).astype(np.float32)
                gain = square / (h + self.lambda_).astype(np.float32)
        return np.where(h <= 0, np.float32(0), gain)

    def enough(self, H: Float64) -> npt.NDArray[np.bool_]:
        """Whether a child may have this sum of hessians; any shape."""
        return np.asarray(H * self.unit >= self.min_child_weight)

    def can_split(self, node: Sums) -> bool:
        """Return False only where no column can split the node."""
        return node.H > 0 and node.H * self.unit >= 2 * self.min_child_weight

    def _thresholded(self, g: Float64) -> Float64:
        return np.asarray(np.sign(g) * np.maximum(np.abs(g) - self.alpha, 0.0)) if self.alpha else g


def best_split(
    histogram: Float64, n_bins: Integers, node: Sums, allowed: npt.NDArray[np.bool_], criterion: Criterion
) -> Candidate | None:
    """The split that XGBoost makes in a node, or None where it stays a leaf.

    Args:
        histogram: float64 [features, most bins, 2], integers; what lies past a feature's bins is ignored.
        n_bins: int64 [features].
        node: the node's sums, missing rows included.
        allowed: bool [features], False for features that column sampling left out.
        criterion: the parameters and the unit of the sums.
    """
    if not histogram.size or not criterion.can_split(node):
        return None
    total = np.array([node.G, node.H])
    present = (np.arange(histogram.shape[1]) < n_bins[:, None]) & allowed[:, None]
    histogram = np.where(present[..., None], histogram, 0.0)
    left_known = np.cumsum(histogram, axis=1)  # known rows in bins up to b
    known = left_known[:, -1:]
    missing = total - known
    # Candidate (feature, b) with missing rows right: bins up to b | the rest. With missing rows left the
    # candidate at position b keeps bins from b on to the right, so its bin is b - 1.
    right_known = known - left_known + histogram
    forward = _gains(left_known, total - left_known, node, criterion, present)
    has_missing = (missing != 0).any(axis=2)
    backward = _gains(total - right_known, right_known, node, criterion, present & has_missing)

    rows = np.arange(len(histogram))
    first = np.argmax(forward, axis=1)
    last = histogram.shape[1] - 1 - np.argmax(backward[:, ::-1], axis=1)
    default_left = backward[rows, last] > forward[rows, first]
    gains = np.where(default_left, backward[rows, last], forward[rows, first])
    feature = int(np.argmax(gains))
    if default_left[feature]:
        bin_ = int(last[feature]) - 1
        right = right_known[feature, bin_ + 1]
    else:
        bin_ = int(first[feature])
        right = total - left_known[feature, bin_]
    left = total - right
    gain = gains[feature]
    if not gain > SMALLEST_GAIN or gain < criterion.gamma or left[1] == 0 or right[1] == 0:
        return None
    sums = Sums(*left.tolist()), Sums(*right.tolist())
    return Candidate(gain, feature, bin_, bool(default_left[feature]), *sums)


def _gains(
    left: Float64, right: Float64, node: Sums, criterion: Criterion, present: npt.NDArray[np.bool_]
) -> Float32:
    """float32 [features, bins]; minus infinity where the candidate is not allowed."""
    both = criterion.gain(left[..., 0], left[..., 1]) + criterion.gain(right[..., 0], right[..., 1])
    gains = both - criterion.gain(node.G, node.H)
    fits = present & criterion.enough(left[..., 1]) & criterion.enough(right[..., 1])
    return np.where(fits & np.isfinite(gains), gains, np.float32(-np.inf))
