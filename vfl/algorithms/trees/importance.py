"""How much each feature contributed to a model, by XGBoost's measure."""

from __future__ import annotations

from collections.abc import Sequence

from vfl.algorithms.trees.parts import LEAF, Tree


def mean_gains(
    trees: Sequence[Tree], names: Sequence[Sequence[str]], feature_of: Sequence[Sequence[int]]
) -> dict[str, float]:
    """Return each feature's mean gain over the splits it won, divided by the sum over features.

    This is ``feature_importances_`` of XGBoost's tree boosters (``importance_type="gain"``).

    Args:
        trees: of the model.
        names: by owner, the names of its columns.
        feature_of: by owner, the column of each of its splits.
    """
    gains: dict[tuple[int, int], list[float]] = {}
    for tree in trees:
        for owner, split, gain in zip(tree.owner, tree.split, tree.gain, strict=True):
            if owner != LEAF:
                gains.setdefault((owner, feature_of[owner][split]), []).append(gain)
    means = {key: sum(values) / len(values) for key, values in gains.items()}
    total = sum(means.values()) or 1.0
    return {
        name: means.get((owner, column), 0.0) / total
        for owner, columns in enumerate(names)
        for column, name in enumerate(columns)
    }
