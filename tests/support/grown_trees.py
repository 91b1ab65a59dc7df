"""Federated growth in one process, without encryption, and xgboost on the pooled table as its judge."""

from types import SimpleNamespace

import numpy as np
import xgboost

from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.columns import Gradients, LocalColumns, LocalTable
from vfl.algorithms.trees.grower import Grower
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.parts import TreesFeaturePart, TreesLabelPart, TreesPeer, split_table

FRACTION_BITS = 36

# Parameters that xgboost takes under the same name; the rest steers sampling and stopping.
JUDGED = ["objective", "max_depth", "learning_rate", "gamma", "min_child_weight", "reg_lambda"]
JUDGED += ["reg_alpha", "max_delta_step", "scale_pos_weight", "max_bin"]


def make_table(seed=0, rows=1000, widths=(3, 3), missing=0.05, known=1.0, objective="binary:logistic"):
    """Columns by owner, each with the rows that the owner knows, and labels.

    The parts hold columns [known rows, width]; `pooled` is the table an all-seeing party would have.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, sum(widths))).astype(np.float32)
    X[:, -1] = np.round(X[:, -1])
    z = X[:, 0] + X[:, -1] * X[:, 1] + rng.standard_normal(rows)
    y = (z > 0.8 if objective == "binary:logistic" else z).astype(np.float32)
    X[rng.random(X.shape) < missing] = np.nan
    return divided_table(X, y, widths, known, rng)


def divided_table(X, y, widths, known=1.0, rng=None):
    X, parts, end = X.copy(), [], 0
    for owner, width in enumerate(widths):
        start, end = end, end + width
        rows = np.arange(len(X))
        if owner and known < 1:
            rows = np.sort(rng.permutation(len(X))[: int(known * len(X))])
            X[np.setdiff1d(np.arange(len(X)), rows), start:end] = np.nan
        parts.append((np.ascontiguousarray(X[rows, start:end]), rows))
    return SimpleNamespace(pooled=X, parts=parts, y=y, widths=widths)


def grow_together(table, params, weight=None, masks=None, wrap=lambda owner, number: owner, train=None):
    """Grow trees over the owners of a table; ``masks`` gives each tree's sampled rows."""
    rows = len(table.y)
    cuts = [cut_points(part, params.max_bin) for part, _ in table.parts]
    tables = [
        LocalTable(bin_columns(part, cut), cut.n_bins, known)
        for (part, known), cut in zip(table.parts, cuts, strict=True)
    ]
    loss = LOSSES[params.objective]
    base_score = params.base_score
    if base_score is None:
        base_score = loss.base_score(table.y, weight, params.scale_pos_weight)
    margin = np.full(rows, loss.margin(base_score), dtype=np.float32)
    rng = np.random.default_rng(params.random_state)
    grower = Grower(params, FRACTION_BITS, rng, [[] for _ in tables])
    trees = []
    for number in range(params.n_estimators):
        sampled = np.ones(rows, dtype=bool) if masks is None else masks[number]
        g, h = loss.gradients(margin, table.y, weight, params.scale_pos_weight)
        G, H = (np.rint(of.astype(np.float64) * 2**FRACTION_BITS).astype(np.int64) for of in (g, h))
        gradients = Gradients(G, H, sampled)
        owners = [wrap(LocalColumns(own, gradients), number) for number, own in enumerate(tables)]
        grown = grower.grow(gradients, owners)
        trees.append(grown.tree)
        margin += np.array(grown.tree.value, dtype=np.float32)[grown.leaf_of_row]
    label, features = make_parts(trees, grower.splits, cuts, params, base_score)
    return SimpleNamespace(label=label, features=features, margin=margin)


def make_parts(trees, splits, cuts, params, base_score):
    tables = [split_table(own, cut) for own, cut in zip(splits, cuts, strict=True)]
    names = [[f"column{i}" for i in range(len(cut.n_bins))] for cut in cuts]
    peers = [f"peer{number}" for number in range(1, len(cuts))]
    label = TreesLabelPart(
        params=params,
        base_score=base_score,
        columns=names[0],
        owners=peers,
        peers=[
            TreesPeer(shown=own, split_column=table.feature)
            for own, table in zip(names[1:], tables[1:], strict=True)
        ],
        splits=tables[0],
        trees=trees,
    )
    features = [
        TreesFeaturePart(columns=own, splits=table) for own, table in zip(names[1:], tables[1:], strict=True)
    ]
    return label, dict(zip(peers, features, strict=True))


def pooled_xgboost(table, params, weight=None, masks=None):
    """What xgboost grows on the pooled table; weights do not move its cut points, masks zero gradients."""
    given = {name: getattr(params, name) for name in JUDGED} | {"tree_method": "hist", "nthread": 1}
    if params.base_score is not None:
        given["base_score"] = params.base_score
    plain = xgboost.QuantileDMatrix(table.pooled, table.y, max_bin=params.max_bin, nthread=1)
    data = plain
    if weight is not None:
        data = xgboost.QuantileDMatrix(
            table.pooled, table.y, weight=weight, ref=plain, max_bin=params.max_bin, nthread=1
        )
    if masks is None:
        return xgboost.train(given, data, params.n_estimators)
    loss, steps = LOSSES[params.objective], iter(masks)

    def masked(margin, _):
        g, h = loss.gradients(margin, table.y, weight, params.scale_pos_weight)
        mask = next(steps)
        return g * mask, h * mask

    # With a custom objective the base score is a margin.
    given |= {"base_score": float(loss.margin(params.base_score)), "objective": "reg:squarederror"}
    return xgboost.train(given, data, params.n_estimators, obj=masked)
