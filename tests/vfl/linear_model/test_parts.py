"""Parts of linear models: written and read to the last bit, refused where damaged."""

import numpy as np
import pytest

from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.errors import StateError
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart, LinearPeer, LinearTerms
from vfl.linear_model.scaling import Scaling

X = np.array([[1.0, 10.0], [2.0, np.nan], [4.0, 30.0]], dtype=np.float32)
TERMS = LinearTerms.from_coefficients(["a", "b"], Scaling.fit(X, standardise=True), np.array([0.1, -1 / 3]))


def test_parts_are_read_as_they_were_written():
    """JSON gives back the same numbers, bit for bit."""
    feature = LinearFeaturePart(terms=TERMS)
    label = LinearLabelPart(
        params=LinearParams(C=None),
        intercept=0.1,
        terms=TERMS,
        owners=["telco"],
        peers=[LinearPeer(shown=["calls", ""], base=0.2, unknown=1 / 3)],
    )
    assert ALGORITHMS.feature_part(to_json(feature)) == feature
    assert ALGORITHMS.label_part(to_json(label)) == label


def test_a_missing_value_and_an_unknown_customer_count_as_the_mean():
    """Of scaled columns that adds nothing."""
    assert TERMS.unknown() == 0
    contributions = TERMS.contributions(X)
    x = X[:, 0].astype(np.float64)
    np.testing.assert_allclose(contributions[:, 0], 0.1 * (x - x.mean()) / x.std(), atol=1e-15)
    assert contributions[1, 1] == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b'"version":2', b'"version":9'),
        lambda text: text.replace(b'["a","b"]', b'["a"]'),
        lambda text: text.replace(b'"scale":[', b'"scale":[-'),
        lambda text: text[:-1],
        lambda text: text.replace(b'"terms"', b'"term"'),
    ],
)
def test_damaged_parts_are_refused(damage):
    """A part that contradicts itself is never used."""
    text = to_json(LinearFeaturePart(terms=TERMS))
    assert damage(text) != text
    with pytest.raises(StateError):
        ALGORITHMS.feature_part(damage(text))
