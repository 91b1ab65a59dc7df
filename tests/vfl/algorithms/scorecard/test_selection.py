"""Columns that repeat others are left out; inflation is that of regressions on the other columns."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from vfl.algorithms.scorecard.selection import correlations, select, variance_inflation


@pytest.fixture
def coded():
    """Four columns, of which the third nearly repeats the first and the fourth nearly adds up two."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    return np.column_stack([a, b, a + 0.1 * rng.normal(size=500), a + b + 0.01 * rng.normal(size=500)])


def test_inflation_is_that_of_scikit_learns_regressions(coded):
    """1 / (1 - R^2) of each column on the others, by scikit-learn."""
    others = [np.delete(coded, j, axis=1) for j in range(4)]
    fitted = [LinearRegression().fit(X, coded[:, j]).score(X, coded[:, j]) for j, X in enumerate(others)]
    assert variance_inflation(correlations([coded])) == pytest.approx(1 / (1 - np.array(fitted)), rel=1e-6)


def test_inflation_of_exact_combinations_is_infinite(coded):
    """Columns that make each other up have no finite inflation; one apart from them has."""
    columns = np.column_stack([coded[:, 0], coded[:, 1], coded[:, 0] - 2 * coded[:, 1], coded[::-1, 0]])
    inflation = variance_inflation(correlations([columns]))
    assert np.isinf(inflation).tolist() == [True, True, True, False]
    assert inflation[3] == pytest.approx(1.0, abs=0.05)


def test_of_two_alike_the_better_stays(coded):
    """By correlation a column goes that repeats an earlier one, of either sign."""
    assert select(correlations([coded]), 0.9, None) == [0, 1, 3]
    assert select(correlations([coded * [1, 1, -1, 1]]), 0.9, None) == [0, 1, 3]
    assert select(correlations([coded[:, [2, 1, 0]]]), 0.9, None) == [0, 1]
    assert select(correlations([coded]), None, None) == [0, 1, 2, 3]


def test_the_most_inflated_goes_until_none_is(coded):
    """What stays keeps the limit, and no more goes than has to."""
    kept = select(correlations([coded]), None, 5.0)
    assert variance_inflation(correlations([coded[:, kept]])).max() <= 5.0
    assert len(kept) == 2


def test_a_constant_column_is_never_kept(coded):
    """A column whose rows all weigh the same tells nothing; nor is there any to keep of none."""
    coded[:, 1] = 0.3
    assert select(correlations([coded]), None, None) == [0, 2, 3]
    assert select(correlations([coded[:, [1]]]), 0.5, 5.0) == []
    assert select(correlations([coded[:, :0]]), 0.5, 5.0) == []


def test_correlations_of_blocks_are_numpys(coded):
    """Whatever the blocks, and wherever the columns lie, the correlations are those of numpy."""
    far = coded + np.array([0, 1e3, -50, 7])
    for at in ([1], [250], [3, 400]):
        assert correlations(np.split(far, at)) == pytest.approx(np.corrcoef(far, rowvar=False), abs=1e-12)
