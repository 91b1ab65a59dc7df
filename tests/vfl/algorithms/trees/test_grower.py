"""Trees grown over several owners are those of xgboost on the pooled table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.compare import compare_trees
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.params import TreeParams

W1 = Path(__file__).parents[4] / "shared" / "data"
SMALL = {"n_estimators": 4, "max_depth": 4, "max_bin": 32}


def differences(federation, table, params, weight=None, masks=None):
    ours = federation.grow_together(table, params, weight, masks)
    booster = federation.pooled_xgboost(table, params, weight, masks)
    found = compare_trees(to_xgboost_json(ours.label, ours.features), booster)
    return [difference for difference in found if not difference.is_tie]


@pytest.mark.parametrize("widths", [(3, 3), (2, 2, 3), (0, 4), (1, 2, 2, 2)])
@pytest.mark.parametrize("known", [1.0, 0.7])
def test_trees_equal_xgboost_whoever_holds_the_columns(federation, widths, known):
    """With 5% missing values and any number of owners, of all or 70% of the rows, trees are xgboost's."""
    table = federation.make_table(widths=widths, known=known)
    assert not differences(federation, table, TreeParams(**SMALL))


@pytest.mark.parametrize(
    "changed",
    [
        {"reg_alpha": 0.7, "reg_lambda": 0.2},
        {"max_delta_step": 0.3},
        {"max_delta_step": 0.3, "reg_alpha": 0.5},
        {"gamma": 2.0},
        {"min_child_weight": 8.0},
        {"min_child_weight": 0.0, "reg_lambda": 0.0, "max_depth": 7},
        {"scale_pos_weight": 2.5},
        {"base_score": 0.2, "learning_rate": 0.1},
        {"max_bin": 300},
        {"max_bin": 2},
        {"objective": "reg:squarederror"},
        {"objective": "reg:squarederror", "max_delta_step": 0.5, "min_child_weight": 20.0},
    ],
)
def test_every_parameter_acts_as_in_xgboost(federation, changed):
    """Each parameter of the split criterion changes the trees as it does in xgboost."""
    params = TreeParams(**SMALL | changed)
    table = federation.make_table(seed=1, known=0.8, objective=params.objective)
    assert not differences(federation, table, params)


@pytest.mark.parametrize("scale_pos_weight", [1.0, 3.0])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_sample_weights_act_as_in_xgboost(federation, objective, scale_pos_weight):
    """Weights enter gradients and base score as in xgboost, and leave the cut points alone."""
    table = federation.make_table(seed=2, objective=objective)
    weight = np.random.default_rng(0).uniform(0.2, 3, len(table.y)).astype(np.float32)
    params = TreeParams(objective=objective, scale_pos_weight=scale_pos_weight, **SMALL)
    assert not differences(federation, table, params, weight)


def test_rows_drawn_out_enter_no_sum(federation):
    """A tree grown on sampled rows is xgboost's on the same rows, and the other rows still get leaves."""
    table = federation.make_table(seed=3, known=0.7, widths=(2, 2, 2))
    masks = np.random.default_rng(1).random((4, len(table.y))) < 0.6
    assert not differences(federation, table, TreeParams(base_score=0.3, **SMALL), masks=masks)


def test_trees_equal_xgboost_on_real_customers(federation):
    """On the credit default data, ten trees of depth 5 over both institutions' columns are xgboost's."""
    if not W1.exists():
        pytest.skip("the credit default data is not there: ../shared/data")
    bank, partner = (
        pd.read_parquet(W1 / f"w1_{name}.parquet").sort_values("id") for name in ("bank", "partner")
    )
    assert (bank["id"].to_numpy() == partner["id"].to_numpy()).all()
    parts = bank.drop(columns=["id", "y"]), partner.drop(columns="id")
    X = np.hstack([part.to_numpy(np.float32) for part in parts])[:24_000]
    y = bank["y"].to_numpy(np.float32)[:24_000]
    table = federation.divided_table(X, y, [part.shape[1] for part in parts])
    params = TreeParams(n_estimators=10, max_depth=5, learning_rate=0.3, max_bin=32)
    ours = federation.grow_together(table, params)
    booster = federation.pooled_xgboost(table, params)
    found = compare_trees(to_xgboost_json(ours.label, ours.features), booster)
    assert all(difference.is_tie for difference in found), found


@st.composite
def small_tables(draw):
    """Tables of few rows whose columns are constant, missing, low in cardinality or plain."""
    rows = draw(st.integers(2, 40))
    kinds = draw(
        st.lists(st.sampled_from(["constant", "missing", "binary", "whole", "plain"]), min_size=2, max_size=6)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    make = {
        "constant": lambda: np.full(rows, 3.0),
        "missing": lambda: np.full(rows, np.nan),
        "binary": lambda: rng.integers(0, 2, rows),
        "whole": lambda: rng.integers(-3, 4, rows),
        "plain": lambda: rng.standard_normal(rows),
    }
    X = np.stack([make[kind]() for kind in kinds], axis=1).astype(np.float32)
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.2, 0.6]))] = np.nan
    y = (rng.random(rows) < 0.5).astype(np.float32)
    y[0], y[1] = 0, 1
    own = draw(st.integers(0, len(kinds) - 1))
    middle = draw(st.integers(own + 1, len(kinds)))
    widths = [own, middle - own] + ([len(kinds) - middle] if middle < len(kinds) else [])
    return X, y, widths, draw(st.sampled_from([0.5, 1.0])), rng


@settings(max_examples=25, deadline=None)
@given(small_tables(), st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([0.0, 1.0]))
def test_any_small_table_gives_the_trees_of_xgboost(federation, drawn, min_child_weight, reg_lambda):
    """Whatever the columns look like, the trees are xgboost's up to ties."""
    X, y, widths, known, rng = drawn
    table = federation.divided_table(X, y, widths, known, rng)
    params = TreeParams(
        n_estimators=2, max_depth=3, max_bin=8, min_child_weight=min_child_weight, reg_lambda=reg_lambda
    )
    assert not differences(federation, table, params)


@pytest.mark.parametrize("share", ["colsample_bytree", "colsample_bylevel", "colsample_bynode"])
def test_column_sampling_limits_the_columns_of_a_tree(federation, share):
    """With a share for one column only, a tree, level or node splits on that one column alone."""
    table = federation.make_table(rows=1000, widths=(2, 2, 2))
    params = TreeParams(n_estimators=6, max_depth=3, max_bin=16, random_state=3, **{share: 0.17})
    ours = federation.grow_together(table, params)
    label, tables = ours.label, [ours.label.splits, *(part.splits for part in ours.features.values())]
    for tree in label.trees:
        by_level = {0: set()}
        depth = {0: 0}
        for node, owner in enumerate(tree.owner):
            if owner < 0:
                continue
            depth[tree.left[node]] = depth[tree.left[node] + 1] = depth[node] + 1
            feature = owner, tables[owner].feature[tree.split[node]]
            by_level.setdefault(depth[node], set()).add(feature)
        if share == "colsample_bytree":
            assert len(set().union(*by_level.values())) <= 1
        if share == "colsample_bylevel":
            assert all(len(features) <= 1 for features in by_level.values())
    columns = {(owner, feature) for owner, table in enumerate(tables) for feature in table.feature}
    assert len(columns) > 1


def test_the_same_seed_grows_the_same_trees(federation):
    """Column sampling depends on the random state alone."""
    table = federation.make_table(rows=500)
    first, same = (
        federation.grow_together(table, TreeParams(colsample_bynode=0.5, random_state=7, **SMALL)).label
        for _ in range(2)
    )
    other = federation.grow_together(table, TreeParams(colsample_bynode=0.5, random_state=8, **SMALL)).label
    assert first.trees == same.trees
    assert first.trees != other.trees
