"""A model as XGBoost's JSON: merged from all parties' parts, or over direction bits as one party sees it.

The form is XGBoost's own JSON model as release 3.0 writes it, which later releases read too:
``xgboost.Booster.load_model`` takes it, and its margins equal those of
`vfl.algorithms.trees.predictor` bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from vfl.algorithms.trees.parts import LEAF, SplitTable, Tree, TreesFeaturePart, TreesLabelPart
from vfl.errors import StateError

VERSION = [3, 0, 0]
NO_PARENT = 2**31 - 1  # XGBoost's mark of a root


def to_xgboost_json(
    part: TreesLabelPart, feature_parts: Mapping[str, TreesFeaturePart], names: Sequence[str] | None = None
) -> bytes:
    """Merge the parts of a model into XGBoost's JSON.

    Args:
        part: the label party's part.
        feature_parts: by name, the part of every feature party.
        names: names of all features, the label party's first, then each feature party's in the order of
            ``part.owners``; None takes the label party's column names as they are and puts the party
            before the others: ``telco.age``.

    Raises:
        StateError: a part is absent, or belongs to another model than the label party's.
    """
    absent = [name for name in part.owners if name not in feature_parts]
    if absent:
        raise StateError(f"The parts of {', '.join(absent)} are needed to merge the model")
    ordered = [feature_parts[name] for name in part.owners]
    for number, (name, feature_part) in enumerate(zip(part.owners, ordered, strict=True), start=1):
        if len(feature_part.splits) < part.splits_of(number):
            raise StateError(f"The part of {name} is of another model: it has too few splits")
    own_names = [
        f"{name}.{column}"
        for name, feature_part in zip(part.owners, ordered, strict=True)
        for column in feature_part.columns
    ]
    feature_names = list(names) if names is not None else part.columns + own_names
    counts = [len(part.columns), *(len(feature_part.columns) for feature_part in ordered)]
    if len(feature_names) != sum(counts):
        raise StateError(f"{len(feature_names)} names given for {sum(counts)} features")
    first_feature = [sum(counts[:owner]) for owner in range(len(counts))]
    tables = [part.splits, *(feature_part.splits for feature_part in ordered)]
    trees = [
        _tree(number, tree, tables, first_feature, len(feature_names))
        for number, tree in enumerate(part.trees)
    ]
    return msgspec.json.encode(_model(part, feature_names, trees))


def with_directions(part: TreesLabelPart) -> bytes:
    """The label party's own view of a model as XGBoost's JSON, which needs no other party's part.

    Its features are the label party's columns, then for every split of each feature party one column of
    direction bits, named ``telco.split0``: 0 where the row goes left, 1 where it goes right, NaN where
    the party does not know the row. XGBoost's predictions on that table are those of the merged model on
    the columns themselves. The SHAP values of these features say little: splits of one column are here
    separate features (`vfl.algorithms.trees.tree_shap` joins them).
    """
    views = {name: _bits(len(peer.split_column)) for name, peer in zip(part.owners, part.peers, strict=True)}
    return to_xgboost_json(part, views)


def _bits(n_splits: int) -> TreesFeaturePart:
    # A direction bit is below one half where the row goes left. Rows without a bit go the default way,
    # which the trees hold; the table's own is for a value that its owner knows to be missing.
    return TreesFeaturePart(
        columns=[f"split{split}" for split in range(n_splits)],
        splits=SplitTable(
            feature=list(range(n_splits)), threshold=[0.5] * n_splits, default_left=[False] * n_splits
        ),
    )


def _model(part: TreesLabelPart, names: list[str], trees: list[dict[str, Any]]) -> dict[str, Any]:
    n_trees = len(trees)
    gbtree = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(n_trees)},
        "iteration_indptr": list(range(n_trees + 1)),
        "tree_info": [0] * n_trees,
        "trees": trees,
    }
    objective = {
        "name": part.params.objective,
        "reg_loss_param": {"scale_pos_weight": str(part.params.scale_pos_weight)},
    }
    # XGBoost's scikit-learn interface predicts with the trees up to this one alone, so it is said only where
    # XGBoost would: training could stop early, and those are the trees that the part has.
    stopping = part.best_iteration is not None and part.params.early_stopping_rounds is not None
    learner = {
        "attributes": {"best_iteration": str(part.best_iteration)} if stopping else {},
        "feature_names": names,
        "feature_types": ["float"] * len(names),
        "gradient_booster": {"model": gbtree, "name": "gbtree"},
        "learner_model_param": {
            "base_score": str(_short(part.base_score)),
            "boost_from_average": "1",
            "num_class": "0",
            "num_feature": str(len(names)),
            "num_target": "1",
        },
        "objective": objective,
    }
    return {"learner": learner, "version": VERSION}


def _tree(
    number: int, tree: Tree, tables: list[SplitTable], first_feature: list[int], n_features: int
) -> dict[str, Any]:
    n = len(tree.owner)
    parents, features, conditions = [NO_PARENT] * n, [0] * n, [_short(value) for value in tree.value]
    for node, (owner, split) in enumerate(zip(tree.owner, tree.split, strict=True)):
        if owner == LEAF:
            continue
        parents[tree.left[node]] = parents[tree.left[node] + 1] = node
        features[node] = first_feature[owner] + tables[owner].feature[split]
        conditions[node] = _short(tables[owner].threshold[split])
    return {
        "base_weights": [_short(value) for value in tree.value],
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": [int(left) for left in tree.default_left],
        "id": number,
        "left_children": tree.left,
        "loss_changes": [_short(gain) for gain in tree.gain],
        "parents": parents,
        "right_children": [left if left == LEAF else left + 1 for left in tree.left],
        "split_conditions": conditions,
        "split_indices": features,
        "split_type": [0] * n,
        "sum_hessian": [_short(cover) for cover in tree.cover],
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(n),
            "size_leaf_vector": "1",
        },
    }


def _short(value: float) -> float:
    """The number whose shortest decimal form is that of the float32, as XGBoost writes it."""
    return float(str(np.float32(value)))
