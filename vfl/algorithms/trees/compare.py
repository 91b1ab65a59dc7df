"""Tell where the trees of a merged model differ from those of an XGBoost booster, and which are ties.

Two candidates of equal gain are a tie: which one wins hangs on the last bit of a sum (gradients have fixed
point here, and XGBoost adds them up in an order of its own), and every tree grown afterwards starts from
other margins. So the comparison ends with the first tree that differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

RELATIVE_TIE = 1e-6  # gains this close, relative to the larger, are equal but for rounding
# A gain is a float32 difference of node gains; where those reach 100, their last place is 8e-6.
ABSOLUTE_TIE = 1e-5
LEAF_TOLERANCE = 1e-5  # absolute, and relative above 1: what gradients in fixed point may move a leaf


@dataclass(frozen=True)
class Choice:
    """What a model does at a node: a split, or a leaf where ``feature`` is None.

    Attributes:
        feature: index of the feature, the label party's first.
        value: the threshold, or the leaf's value.
        default_left: where missing values go; False for a leaf.
        gain: XGBoost's ``loss_chg``; 0 for a leaf.
    """

    feature: int | None
    value: float
    default_left: bool
    gain: float


@dataclass(frozen=True)
class Difference:
    """A node at which two models part; ``node`` is its number in each model's tree."""

    tree: int
    node: tuple[int, int]
    ours: Choice | None
    theirs: Choice | None

    @property
    def is_tie(self) -> bool:
        """Whether the gains agree to 1e-6 relative or 1e-5 absolute, a leaf's gain being 0."""
        ours, theirs = self.ours, self.theirs
        if ours is None or theirs is None or (ours.feature is None and theirs.feature is None):
            return False
        gap = abs(ours.gain - theirs.gain)
        return gap <= max(ABSOLUTE_TIE, RELATIVE_TIE * max(ours.gain, theirs.gain))


def compare_trees(ours: bytes, booster: Any) -> list[Difference]:
    """Compare a merged model with a booster, node by node from each root down.

    Args:
        ours: from `vfl.algorithms.trees.export.to_xgboost_json`.
        booster: an ``xgboost.Booster`` trained on the pooled table, features in the same order.

    Returns:
        The nodes that differ in the first tree that does; a node below one that differs is not looked
        at. A tree that only one model has is a difference of its root, with None for the other.
    """
    mine, its = _trees(ours), _trees(bytes(booster.save_raw(raw_format="json")))
    for number in range(max(len(mine), len(its))):
        if number >= len(mine) or number >= len(its):
            present = [_choice(trees[number], 0) if number < len(trees) else None for trees in (mine, its)]
            return [Difference(number, (0, 0), *present)]
        differences = _tree_differences(number, mine[number], its[number])
        if differences:
            return differences
    return []


def _trees(model: bytes) -> list[dict[str, Any]]:
    trees: list[dict[str, Any]] = msgspec.json.decode(model)["learner"]["gradient_booster"]["model"]["trees"]
    return trees


def _tree_differences(number: int, ours: dict[str, Any], theirs: dict[str, Any]) -> list[Difference]:
    differences, pairs = [], [(0, 0)]
    while pairs:
        nodes = pairs.pop(0)
        mine, its = _choice(ours, nodes[0]), _choice(theirs, nodes[1])
        if not _same(mine, its):
            differences.append(Difference(number, nodes, mine, its))
        elif mine.feature is not None:
            for side in ("left_children", "right_children"):
                pairs.append((ours[side][nodes[0]], theirs[side][nodes[1]]))
    return differences


def _choice(tree: dict[str, Any], node: int) -> Choice:
    is_leaf = tree["left_children"][node] == -1
    return Choice(
        feature=None if is_leaf else tree["split_indices"][node],
        value=float(tree["split_conditions"][node]),
        default_left=bool(tree["default_left"][node]),
        gain=float(tree["loss_changes"][node]),
    )


def _same(ours: Choice, theirs: Choice) -> bool:
    if ours.feature is None and theirs.feature is None:
        return abs(ours.value - theirs.value) <= LEAF_TOLERANCE * max(1.0, abs(theirs.value))
    thresholds = np.float32(ours.value) == np.float32(theirs.value)
    return ours.feature == theirs.feature and bool(thresholds) and ours.default_left == theirs.default_left
