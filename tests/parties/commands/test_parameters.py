"""``--param NAME=VALUE``: defaults with some changed, and every mistake named."""

from __future__ import annotations

import pytest

from parties.commands.parameters import parameters
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError


def test_values_are_read_as_what_they_are() -> None:
    """Numbers, text and none; what is not named stays."""
    defaults = TreeParams(max_depth=3)
    changes = ("learning_rate=0.5", "objective=reg:squarederror", "n_estimators=7")
    params = parameters(TreeParams, changes, defaults)
    assert (params.learning_rate, params.objective, params.n_estimators) == (0.5, "reg:squarederror", 7)
    assert params.max_depth == 3
    assert parameters(TreeParams, (), defaults) == defaults


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("gamma", "--param gamma: write NAME=VALUE"),
        ("max_dept=3", "max_dept: unknown parameter; did you mean max_depth?"),
        ("max_depth=deep", "max_depth"),
    ],
)
def test_a_mistake_is_named(text: str, error: str) -> None:
    """With what to write instead."""
    with pytest.raises(ParameterError, match=error.replace("?", r"\?")):
        parameters(TreeParams, (text,), TreeParams())
