"""Sums of gradients and hessians by (feature, bin) over the rows of a node.

Gradients arrive as fixed-point integers held in float64: every sum stays below 2^53, so each is exact
whatever the order of addition, and a sibling is its parent less the other child, exactly.
A missing value enters no bin: its sum is the node's total less the sum of the feature's bins.
"""

from __future__ import annotations

import numpy as np

from vfl.arrays import Bins, Float64, Integers


def node_histogram(
    bins: Bins, n_bins: Integers, gradients: Float64, rows: Integers, features: Integers
) -> Float64:
    """The histogram of one node over some features.

    Args:
        bins: uint8/uint16 [all rows, all features], the missing code being ``n_bins[feature]``.
        n_bins: int64 [all features].
        gradients: float64 [2, all rows]; G and H of each row, integers.
        rows: int64, the rows of the node that count.
        features: int64, the features wanted.

    Returns:
        float64 [sum of n_bins over features, 2]: (sum of G, sum of H), feature after feature.
    """
    g, h = gradients[:, rows]
    parts: list[Float64] = [np.empty((0, 2))]
    for feature in features:
        codes, count = bins[:, feature][rows], int(n_bins[feature])
        sums = [np.bincount(codes, weights=weights, minlength=count + 1)[:count] for weights in (g, h)]
        parts.append(np.stack(sums, axis=1))
    return np.concatenate(parts)
