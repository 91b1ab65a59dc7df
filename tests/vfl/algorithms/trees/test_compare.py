"""Differences between two models are found at the node where they begin, and ties told apart."""

import msgspec
import pytest

from vfl.algorithms.trees.compare import Choice, Difference, compare_trees
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.params import TreeParams


@pytest.fixture(scope="module")
def pair(federation):
    table = federation.make_table(rows=600)
    params = TreeParams(n_estimators=3, max_depth=3, max_bin=16)
    ours = federation.grow_together(table, params)
    return to_xgboost_json(ours.label, ours.features), federation.pooled_xgboost(table, params)


def changed(model, change):
    decoded = msgspec.json.decode(model)
    change(decoded["learner"]["gradient_booster"]["model"]["trees"])
    return msgspec.json.encode(decoded)


def test_equal_models_do_not_differ(pair):
    """The merged model and xgboost's own have no difference."""
    assert compare_trees(*pair) == []


@pytest.mark.parametrize(
    ("field", "value"), [("split_indices", 99), ("split_conditions", 123.0), ("default_left", 7)]
)
def test_another_split_of_equal_gain_is_a_tie(pair, field, value):
    """A split on something else with the same gain is reported as a tie, with both sides' choices."""
    ours, booster = pair

    def change(trees):
        old = trees[1][field][2]
        trees[1][field][2] = not old if field == "default_left" else value

    (found,) = compare_trees(changed(ours, change), booster)
    assert (found.tree, found.node, found.is_tie) == (1, (2, 2), True)
    assert found.ours != found.theirs


def test_another_split_of_another_gain_is_no_tie(pair):
    """Gains that differ by more than 1e-6 show that the split was worse or better, not equal."""
    ours, booster = pair

    def change(trees):
        trees[0]["split_indices"][0] = 99
        trees[0]["loss_changes"][0] *= 1 + 1e-5

    (found,) = compare_trees(changed(ours, change), booster)
    assert not found.is_tie


@pytest.mark.parametrize(("gain", "is_tie"), [(5e-6, True), (1e-3, False)])
def test_a_split_that_gains_nothing_is_as_good_as_a_leaf(gain, is_tie):
    """A leaf against a split is a tie only where the split's gain is no more than float32 rounding."""
    leaf = Choice(None, 0.1, False, 0.0)
    assert Difference(0, (3, 3), leaf, Choice(0, 0.5, False, gain)).is_tie == is_tie


def test_a_leaf_that_moves_is_a_difference(pair):
    """A leaf value 1e-4 off is found and is no tie; one 1e-7 off is rounding."""
    ours, booster = pair

    def move(by):
        def change(trees):
            leaf = trees[2]["left_children"].index(-1)
            trees[2]["split_conditions"][leaf] += by

        return changed(ours, change)

    (found,) = compare_trees(move(1e-4), booster)
    assert found.ours.feature is None
    assert not found.is_tie
    assert compare_trees(move(1e-7), booster) == []


def test_a_tree_that_only_one_model_has_is_a_difference(pair):
    """A model cut short differs from the first tree that it lacks."""
    ours, booster = pair
    (found,) = compare_trees(changed(ours, lambda trees: trees.pop()), booster)
    assert (found.tree, found.ours) == (2, None)
    assert not found.is_tie
