"""Exported models are ones that xgboost itself reads, and describe the same trees."""

import msgspec
import numpy as np
import pandas as pd
import pytest
import xgboost

from vfl.algorithms.trees.export import to_xgboost_json, with_directions
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.algorithms.trees.predictor import TreesPredictor, split_directions
from vfl.errors import StateError


def load(model):
    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    return booster


@pytest.fixture(scope="module")
def merged(federation):
    table = federation.make_table(rows=800, widths=(2, 2, 1), known=0.8)
    params = TreeParams(n_estimators=4, max_depth=4, max_bin=16)
    ours = federation.grow_together(table, params)
    return table, params, ours


def test_xgboost_lists_the_trees_that_it_would_grow(merged, federation):
    """`trees_to_dataframe` of the merged model is that of xgboost trained on the pooled table."""
    table, params, ours = merged
    names = [f"f{i}" for i in range(5)]
    ours_frame = load(to_xgboost_json(ours.label, ours.features, names)).trees_to_dataframe()
    theirs = federation.pooled_xgboost(table, params)
    theirs.feature_names = names
    pd.testing.assert_frame_equal(ours_frame, theirs.trees_to_dataframe(), rtol=1e-5)


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_the_merged_model_predicts_what_xgboost_does(federation, objective):
    """Predictions, after the link, are those of xgboost trained on the pooled table."""
    table = federation.make_table(seed=4, rows=600, objective=objective)
    params = TreeParams(n_estimators=5, max_depth=3, max_bin=16, objective=objective)
    ours = federation.grow_together(table, params)
    booster, judge = (
        load(to_xgboost_json(ours.label, ours.features)),
        federation.pooled_xgboost(table, params),
    )
    mine = booster.predict(xgboost.DMatrix(table.pooled, feature_names=booster.feature_names))
    np.testing.assert_allclose(mine, judge.predict(xgboost.DMatrix(table.pooled)), rtol=1e-5)


@pytest.mark.parametrize(("early_stopping_rounds", "best"), [(None, 1), (2, 3)])
def test_predict_proba_counts_every_tree_of_the_share(merged, early_stopping_rounds, best):
    """A best round on watched rows takes no tree away: where training stops early, the share ends with it."""
    table, params, ours = merged
    part = msgspec.structs.replace(
        ours.label,
        params=msgspec.structs.replace(params, early_stopping_rounds=early_stopping_rounds),
        best_iteration=best,
    )
    merged_model = bytearray(to_xgboost_json(part, ours.features))
    model, booster = xgboost.XGBClassifier(), load(merged_model)
    model.load_model(merged_model)
    data = xgboost.DMatrix(table.pooled, feature_names=booster.feature_names)
    np.testing.assert_array_equal(model.predict_proba(table.pooled)[:, 1], booster.predict(data))
    assert ("best_iteration" in booster.attributes()) == (early_stopping_rounds is not None)


def test_a_merged_model_can_be_trained_on(merged):
    """XGBoost takes the merged model as a start and adds trees to it."""
    table, _, ours = merged
    booster = load(to_xgboost_json(ours.label, ours.features))
    data = xgboost.DMatrix(table.pooled, table.y, feature_names=booster.feature_names)
    more = xgboost.train({"objective": "binary:logistic", "tree_method": "hist"}, data, 2, xgb_model=booster)
    assert more.num_boosted_rounds() == 6


def test_feature_names_say_whose_column_it_is(merged):
    """The label party's names come first as they are, the others' behind the party's name."""
    _, _, ours = merged
    model = msgspec.json.decode(to_xgboost_json(ours.label, ours.features))
    assert model["learner"]["feature_names"] == [
        "column0",
        "column1",
        "peer1.column0",
        "peer1.column1",
        "peer2.column0",
    ]


def test_a_share_that_is_absent_or_foreign_is_refused(merged):
    """Merging needs every party's share of this very model, and one name a feature."""
    _, _, ours = merged
    with pytest.raises(StateError, match="peer2"):
        to_xgboost_json(ours.label, {"peer1": ours.features["peer1"]})
    empty = TreesFeaturePart(columns=["a"], splits=SplitTable(feature=[], threshold=[], default_left=[]))
    with pytest.raises(StateError, match="another model"):
        to_xgboost_json(ours.label, ours.features | {"peer1": empty})
    with pytest.raises(StateError, match="names"):
        to_xgboost_json(ours.label, ours.features, ["only one"])


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_direction_bits_predict_what_the_shares_do(federation, objective):
    """On own columns and direction bits xgboost gives our margins and the merged model's scores, to the bit.

    A fifth of the values is missing, each party knows half of the rows, and then one gives no bits at all.
    """
    params = TreeParams(n_estimators=6, max_depth=4, max_bin=16, objective=objective)
    grown = federation.make_table(rows=600, widths=(2, 2, 2), objective=objective)
    ours = federation.grow_together(grown, params)
    (own, _), *blocks = federation.make_table(1, 300, (2, 2, 2), 0.2, 0.5, objective).parts
    known = [rows for _, rows in blocks]
    told = [
        split_directions(part, block) for part, (block, _) in zip(ours.features.values(), blocks, strict=True)
    ]
    over_bits, merged = load(with_directions(ours.label)), load(to_xgboost_json(ours.label, ours.features))
    predictor = TreesPredictor(ours.label)
    for absent in (None, 0):
        directions = [None if party == absent else bits for party, bits in enumerate(told)]
        table, pooled = [own], [own]
        for (block, rows), bits, of_all in zip(blocks, directions, told, strict=True):
            seen, values = (np.full((300, width), np.nan, np.float32) for width in (of_all.shape[1], 2))
            if bits is not None:
                seen[rows], values[rows] = ~bits, block
            table.append(seen)
            pooled.append(values)
        bits = xgboost.DMatrix(np.hstack(table), feature_names=over_bits.feature_names)
        columns = xgboost.DMatrix(np.hstack(pooled), feature_names=merged.feature_names)
        margins = predictor.margins(predictor.gather(own, directions, known))
        assert np.array_equal(over_bits.predict(bits, output_margin=True), margins)
        assert np.array_equal(over_bits.predict(bits), merged.predict(columns))


def test_the_model_over_direction_bits_needs_and_shows_no_other_share(merged):
    """Its features are own columns by name and splits by number; no feature party's threshold is in it."""
    _, _, ours = merged
    model = msgspec.json.decode(with_directions(ours.label))
    splits = [f"{peer}.split{i}" for peer, part in ours.features.items() for i in range(len(part.splits))]
    assert model["learner"]["feature_names"] == ours.label.columns + splits
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        asked = zip(tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True)
        assert all(at == 0.5 for feature, at, left in asked if left != -1 and feature >= 2)
