"""Reasons: named as their owners tell them, equal names added, the largest first."""

import numpy as np
import pytest

from vfl.errors import NotAligned
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearLabelPart, LinearPeer, LinearTerms
from vfl.linear_model.scaling import Scaling
from vfl.scoring.reasons import names, top


def linear(*peers):
    """A share with one own column."""
    return LinearLabelPart(
        params=LinearParams(),
        intercept=0.0,
        terms=LinearTerms.from_coefficients(["age"], Scaling.none(1), np.ones(1)),
        owners=[f"peer{number}" for number in range(1, len(peers) + 1)],
        peers=list(peers),
    )


def test_unknown_customers_of_a_linear_model_are_a_reason_of_the_label_party():
    """Where they add something: told beside the label party's columns, before those of feature parties."""
    telco = LinearPeer(shown=["", ""], base=0.5, unknown=-1.0)
    shop = LinearPeer(shown=[""], base=0.5, unknown=0.5)
    reasons = names(linear(telco, shop), "bank", [["calls", "calls"], ["spend"]])
    own = [("bank", "age"), ("bank", "unknown to peer1")]
    assert reasons.names == [*own, ("peer1", "calls"), ("peer2", "spend")]
    assert reasons.merged(np.array([[1.0, 2, 3, 4, 5]])).tolist() == [[1, 2, 7, 5]]
    with pytest.raises(NotAligned, match="peer2"):
        names(linear(telco, shop), "bank", [["calls", "calls"], []])


def test_the_top_reasons_are_the_largest_by_absolute_value():
    """Largest first, the earlier one of equals before the other, and no more than there are."""
    contributions = np.array([[0.5, -2.0, 2.0, 0.0], [0.0, 0.0, 0.0, -1.0]])
    assert top(contributions, 3).tolist() == [[1, 2, 0], [3, 0, 1]]
    assert top(contributions, 9).shape == (2, 4)
