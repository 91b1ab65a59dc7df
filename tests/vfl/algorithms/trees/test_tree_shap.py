"""Contributions are xgboost's and those of the definition, and add up to the margin."""

from itertools import combinations
from math import comb
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import tree_shap as module
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import LEAF, SplitTable, Tree, TreesFeaturePart, TreesLabelPart, TreesPeer
from vfl.algorithms.trees.predictor import TreesPredictor, split_directions
from vfl.algorithms.trees.tree_shap import Contributions
from vfl.errors import NotAligned, StateError
from vfl.scoring.label_party import ask_all
from vfl.scoring.reasons import names


def random_tree(rng, depth, widths, tables, thin):
    """Grow a tree by chance; its splits go into ``tables`` by owner. A thin leaf has a cover of 0."""
    tree = {"owner": [], "split": [], "left": [], "default_left": [], "value": [], "gain": [], "cover": []}
    owners = [owner for owner, width in enumerate(widths) if width]

    def add(cover):
        for name, entry in zip(
            tree, [LEAF, LEAF, LEAF, False, 0.0, 0.0, float(np.float32(cover))], strict=True
        ):
            tree[name].append(entry)

    add(rng.uniform(50, 500))
    levels = [0]
    for node, level in enumerate(levels):
        tree["value"][node] = float(np.float32(rng.normal()))
        if level == depth or rng.random() < 0.1 or tree["cover"][node] == 0:
            continue
        owner = int(rng.choice(owners))
        default_left = bool(rng.integers(2))
        tree["owner"][node], tree["split"][node] = owner, len(tables[owner]["feature"])
        tree["left"][node], tree["default_left"][node] = len(levels), default_left
        tables[owner]["feature"].append(int(rng.integers(widths[owner])))
        tables[owner]["threshold"].append(float(np.float32(rng.normal())))
        tables[owner]["default_left"].append(default_left)
        left = 1.0 if rng.random() < thin else rng.uniform(0.01, 0.99)
        for fraction in (left, 1 - left):
            add(tree["cover"][node] * fraction)
            levels.append(level + 1)
    return Tree(**tree)


def random_parts(rng, depth, widths, n_trees=3, thin=0.0):
    """Shares of a model that nobody trained: any column may come again and again on a path."""
    tables = [{"feature": [], "threshold": [], "default_left": []} for _ in widths]
    trees = [random_tree(rng, depth, widths, tables, thin) for _ in range(n_trees)]
    splits = [SplitTable(**table) for table in tables]
    columns = [[f"column{i}" for i in range(width)] for width in widths]
    peers = [f"peer{number}" for number in range(1, len(widths))]
    label = TreesLabelPart(
        params=TreeParams(),
        base_score=0.2,
        columns=columns[0],
        owners=peers,
        peers=[
            TreesPeer(shown=shown, split_column=table.feature)
            for shown, table in zip(columns[1:], splits[1:], strict=True)
        ],
        splits=splits[0],
        trees=trees,
    )
    parts = zip(columns[1:], splits[1:], strict=True)
    features = [TreesFeaturePart(columns=own, splits=table) for own, table in parts]
    return label, dict(zip(peers, features, strict=True))


def random_rows(rng, label, features, rows=30):
    """A pooled table, where a fifth of the values is missing, and its sides; each party knows some rows."""
    pooled = rng.normal(size=(rows, len(label.columns))).astype(np.float32)
    pooled[rng.random(pooled.shape) < 0.2] = np.nan
    own, directions, known = pooled, [], []
    for part in features.values():
        block = rng.normal(size=(rows, len(part.columns))).astype(np.float32)
        block[rng.random(block.shape) < 0.2] = np.nan
        here = np.flatnonzero(rng.random(rows) < 0.8)
        block[np.setdiff1d(np.arange(rows), here)] = np.nan
        directions.append(split_directions(part, block[here]))
        known.append(here)
        pooled = np.hstack([pooled, block])
    return pooled, TreesPredictor(label).gather(own, directions, known)


def judge(label, features, pooled):
    """xgboost's contributions [rows, features], and its bias [rows], from the merged model."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(to_xgboost_json(label, features)))
    told = booster.predict(xgboost.DMatrix(pooled, feature_names=booster.feature_names), pred_contribs=True)
    return told[:, :-1], told[:, -1]


def by_definition(label, sides, row):
    """Shapley values as defined: the mean, over orders, of what a column adds to those before it."""
    counts = [1, len(label.splits), *(len(peer.split_column) for peer in label.peers)]
    widths = [len(label.columns), *(len(peer.shown) for peer in label.peers)]
    columns = [label.splits.feature, *(peer.split_column for peer in label.peers)]

    def expected(tree, node, coalition):
        owner, split, left = tree.owner[node], tree.split[node], tree.left[node]
        if owner == LEAF:
            return tree.value[node]
        if sum(widths[:owner]) + columns[owner][split] in coalition:
            goes_left = sides[sum(counts[: owner + 1]) + split, row]
            return expected(tree, left if goes_left else left + 1, coalition)
        children = (left, left + 1)
        return sum(tree.cover[c] / tree.cover[node] * expected(tree, c, coalition) for c in children)

    n = sum(widths)
    worth = {
        coalition: sum(expected(tree, 0, coalition) for tree in label.trees)
        for size in range(n + 1)
        for coalition in combinations(range(n), size)
    }
    values = np.zeros(n)
    for coalition, before in worth.items():
        for player in set(range(n)) - set(coalition):
            joined = tuple(sorted((*coalition, player)))
            values[player] += (worth[joined] - before) / (n * comb(n - 1, len(coalition)))
    return values


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(0, 10),
    widths=st.lists(st.integers(0, 4), min_size=1, max_size=3).filter(any),
    thin=st.sampled_from([0.0, 0.2]),
)
def test_contributions_equal_xgboost(seed, depth, widths, thin):
    """For any trees, covers of 0 at leaves included, contributions and bias are `pred_contribs`."""
    rng = np.random.default_rng(seed)
    label, features = random_parts(rng, depth, widths, thin=thin)
    pooled, sides = random_rows(rng, label, features)
    ours, bias = Contributions(label).contributions(sides)
    theirs, their_bias = judge(label, features, pooled)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(bias, their_bias, rtol=0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.integers(1, 7), thin=st.sampled_from([0.0, 0.2]))
def test_contributions_are_those_of_the_definition(seed, depth, thin):
    """The mean over all orders of the columns, taken literally, gives the same to 12 digits."""
    rng = np.random.default_rng(seed)
    label, features = random_parts(rng, depth, (2, 2, 1), n_trees=2, thin=thin)
    _, sides = random_rows(rng, label, features, rows=2)
    ours, _ = Contributions(label).contributions(sides)
    for row in range(2):
        np.testing.assert_allclose(ours[row], by_definition(label, sides, row), rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", range(1, 9))
def test_contributions_of_a_trained_model_are_those_of_the_pooled_one(federation, depth):
    """Trees grown over three owners, on weighted rows with gaps, explain as xgboost's on the pooled table."""
    table = federation.make_table(seed=depth, rows=500, widths=(2, 2, 1), missing=0.1, known=0.7)
    weight = np.random.default_rng(depth).choice(np.float32([0.5, 1, 3]), 500)
    params = TreeParams(n_estimators=3, max_depth=depth, max_bin=16, min_child_weight=0.1)
    ours = federation.grow_together(table, params, weight)
    (own, _), *blocks = table.parts
    directions = [
        split_directions(part, block) for part, (block, _) in zip(ours.features.values(), blocks, strict=True)
    ]
    sides = TreesPredictor(ours.label).gather(own, directions, [rows for _, rows in blocks])
    mine, bias = Contributions(ours.label).contributions(sides)
    pooled = federation.pooled_xgboost(table, params, weight)
    theirs = pooled.predict(xgboost.DMatrix(table.pooled), pred_contribs=True)
    np.testing.assert_allclose(mine, theirs[:, :-1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(bias, theirs[:, -1], rtol=0, atol=1e-5)


def test_a_model_trained_and_asked_over_the_wire_explains_as_the_pooled_one(
    consortium, federation, private_key
):
    """Encrypted training, directions by message: contributions are those of xgboost on the pooled table."""
    rng = np.random.default_rng(11)
    customers = [f"C{i:03d}" for i in range(400)]
    label = pd.DataFrame(rng.normal(size=(400, 2)), customers, ["age", "balance"])
    telco = pd.DataFrame(rng.normal(size=(400, 2)), customers, ["calls", "roaming"]).mask(
        rng.random((400, 2)) < 0.1
    )
    y = (label["age"] + telco["calls"].fillna(1) ** 2 + rng.normal(size=400) > 1).to_numpy(np.float32)
    group = consortium(label, {"telco": telco[rng.random(400) < 0.8]})
    table = LabelTable(customers, list(label.columns), label.to_numpy(np.float32), y)
    params = TreeParams(n_estimators=3, max_depth=4, max_bin=16)
    part = train(group.sessions(), group.alignments, table, params, private_key, model_id="m").part
    told = ask_all(group.sessions(), group.alignments, part, model_id="m")
    sides = TreesPredictor(part).gather(table.columns, told, [table.rows_of(group.alignments["telco"])])
    ours, bias = Contributions(part).contributions(sides)
    pooled = SimpleNamespace(pooled=group.pooled().to_numpy(np.float32)[group.order()], y=y[group.order()])
    booster = federation.pooled_xgboost(pooled, params)
    theirs = booster.predict(xgboost.DMatrix(group.pooled().to_numpy(np.float32)), pred_contribs=True)
    np.testing.assert_allclose(ours, theirs[:, :-1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(bias, theirs[:, -1], rtol=0, atol=1e-5)


def test_a_party_that_does_not_answer_counts_as_missing_columns():
    """Without a party's directions contributions are xgboost's with its columns missing."""
    rng = np.random.default_rng(3)
    label, features = random_parts(rng, 5, (2, 3, 2))
    pooled, _ = random_rows(rng, label, features)
    told = split_directions(features["peer2"], pooled[:, 5:])
    rows = np.arange(len(pooled))
    sides = TreesPredictor(label).gather(pooled[:, :2].copy(), [None, told], [rows[:0], rows])
    pooled[:, 2:5] = np.nan
    np.testing.assert_allclose(
        Contributions(label).contributions(sides)[0], judge(label, features, pooled)[0], atol=1e-5
    )


def test_contributions_sum_to_the_margin():
    """A row's contributions and the bias sum to its margin, up to the margin's own float32 rounding."""
    rng = np.random.default_rng(5)
    label, features = random_parts(rng, 8, (3, 3, 3), n_trees=20)
    _, sides = random_rows(rng, label, features, rows=200)
    ours, bias = Contributions(label).contributions(sides)
    np.testing.assert_allclose(
        ours.sum(axis=1) + bias, TreesPredictor(label).margins(sides), rtol=0, atol=1e-5
    )


def test_a_column_that_is_never_asked_contributes_nothing():
    """A column without a split has exactly 0, whatever its value."""
    rng = np.random.default_rng(6)
    label, features = random_parts(rng, 4, (6, 6), n_trees=1)
    unused = sorted(set(range(6)) - set(label.splits.feature))
    unused += sorted(6 + column for column in set(range(6)) - set(label.peers[0].split_column))
    assert unused
    _, sides = random_rows(rng, label, features)
    assert not Contributions(label).contributions(sides)[0][:, unused].any()


def test_rows_are_explained_alike_alone_and_in_any_block(monkeypatch):
    """A row's contributions have the same bits whatever rows are explained with it."""
    rng = np.random.default_rng(7)
    label, features = random_parts(rng, 6, (3, 3))
    _, sides = random_rows(rng, label, features, rows=50)
    contributions = Contributions(label)
    together, _ = contributions.contributions(sides)
    alone = [contributions.contributions(sides[:, row : row + 1])[0][0] for row in range(50)]
    assert np.array_equal(together, alone)
    monkeypatch.setattr(module, "BLOCK", 1000)
    assert np.array_equal(together, contributions.contributions(sides)[0])
    assert contributions.contributions(sides[:, :0])[0].shape == (0, 6)


def test_trees_without_splits_contribute_to_the_bias_alone():
    """Trees of one leaf leave every contribution at 0."""
    rng = np.random.default_rng(8)
    label, features = random_parts(rng, 0, (2, 1))
    pooled, sides = random_rows(rng, label, features)
    ours, bias = Contributions(label).contributions(sides)
    assert not ours.any()
    np.testing.assert_allclose(bias, judge(label, features, pooled)[1], rtol=0, atol=1e-6)


def test_what_cannot_be_explained_is_refused():
    """A split of a node that no row came to has no fractions; sides of another model do not fit."""
    rng = np.random.default_rng(9)
    label, _ = random_parts(rng, 3, (2, 1))
    with pytest.raises(NotAligned, match="splits"):
        Contributions(label).contributions(np.ones((3, 1), dtype=bool))
    label.trees[0].cover[0] = 0.0
    with pytest.raises(StateError, match="min_child_weight"):
        Contributions(label)


def test_reasons_have_the_names_that_owners_tell():
    """Own columns keep their names, others get those their owner tells, and equal names of a party add."""
    label, _ = random_parts(np.random.default_rng(0), 2, (2, 3, 2))
    reasons = names(label, "bank", [["usage", "usage", "tenure"], ["usage", "usage"]])
    own = [("bank", "column0"), ("bank", "column1")]
    assert reasons.names == [*own, ("peer1", "usage"), ("peer1", "tenure"), ("peer2", "usage")]
    assert reasons.merged(np.array([[1.0, 2, 3, 4, 5, 6, 7]])).tolist() == [[1, 2, 7, 5, 13]]
    with pytest.raises(NotAligned, match="peer1"):
        names(label, "bank", [[], ["a", "b"]])


def test_a_party_without_a_split_needs_no_names():
    """Its columns, which contribute nothing, are then no reasons."""
    label, _ = random_parts(np.random.default_rng(0), 0, (1, 2, 1))
    reasons = names(label, "bank", [[], ["usage"]])
    assert reasons.names == [("bank", "column0"), ("peer2", "usage")]
    assert reasons.merged(np.array([[1.0, 0, 0, 4]])).tolist() == [[1, 4]]
