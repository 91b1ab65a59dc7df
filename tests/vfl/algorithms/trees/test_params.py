"""Parameters are XGBoost's by name and default, and are refused all together when out of range."""

import math

import msgspec
import numpy as np
import pytest
import xgboost

from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError

IN_XGBOOST = {
    "max_depth": "max_depth",
    "learning_rate": "eta",
    "gamma": "gamma",
    "min_child_weight": "min_child_weight",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
    "max_delta_step": "max_delta_step",
    "subsample": "subsample",
    "colsample_bytree": "colsample_bytree",
    "colsample_bylevel": "colsample_bylevel",
    "colsample_bynode": "colsample_bynode",
    "max_bin": "max_bin",
}


def test_defaults_are_those_of_xgboost():
    """Every tree parameter's default is what xgboost itself uses when told nothing."""
    booster = xgboost.train({}, xgboost.DMatrix(np.zeros((2, 1)), [0, 1]), 1)
    config = msgspec.json.decode(booster.save_config())["learner"]["gradient_booster"]["tree_train_param"]
    ours = TreeParams()
    assert {name: np.float32(getattr(ours, name)) for name in IN_XGBOOST} == {
        name: np.float32(config[theirs]) for name, theirs in IN_XGBOOST.items()
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_estimators", 0),
        ("n_estimators", 2.5),
        ("max_depth", 0),
        ("max_depth", 31),
        ("max_depth", True),
        ("learning_rate", 0.0),
        ("learning_rate", 1.5),
        ("learning_rate", math.nan),
        ("learning_rate", "fast"),
        ("gamma", -0.1),
        ("min_child_weight", -1),
        ("reg_lambda", math.inf),
        ("reg_alpha", -1.0),
        ("max_delta_step", -1.0),
        ("scale_pos_weight", 0.0),
        ("subsample", 0.0),
        ("colsample_bytree", 1.1),
        ("colsample_bylevel", -1),
        ("colsample_bynode", None),
        ("max_bin", 1),
        ("max_bin", 65_536),
        ("base_score", math.nan),
        ("base_score", 1.0),
        ("objective", "multi:softmax"),
        ("eval_metric", "mape"),
        ("early_stopping_rounds", 0),
        ("random_state", -1),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_allowed(name, value):
    """The message holds the parameter, the value and the allowed range."""
    with pytest.raises(ParameterError) as caught:
        TreeParams(**{name: value})
    assert f"{name}={value!r} (allowed: " in str(caught.value)


def test_all_mistakes_are_told_at_once():
    """Several wrong parameters give one error that names each of them."""
    with pytest.raises(ParameterError) as caught:
        TreeParams(max_depth=0, gamma=-1.0, objective="none")
    assert all(name in str(caught.value) for name in ("max_depth", "gamma", "objective"))


def test_a_base_score_may_be_any_number_for_a_regression():
    """Only ``binary:logistic`` needs a probability."""
    assert TreeParams(objective="reg:squarederror", base_score=-3.5).base_score == -3.5


def test_parameters_survive_json_and_refuse_strangers():
    """Parameters read back equal; an unknown name or a wrong value in JSON is refused."""
    params = TreeParams(max_depth=3, base_score=0.25, eval_metric="auc")
    assert msgspec.json.decode(msgspec.json.encode(params), type=TreeParams) == params
    for damaged in (b'{"max_leaves": 3}', b'{"max_depth": 99}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(damaged, type=TreeParams)
