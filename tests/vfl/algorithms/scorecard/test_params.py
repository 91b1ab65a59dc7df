"""Parameters of binning are checked as a whole when they are made."""

import pytest

from vfl.algorithms.scorecard.params import BinningParams
from vfl.errors import ParameterError


@pytest.mark.parametrize(
    "wrong",
    [
        {"prebinning": "cart"},
        {"max_prebins": 1},
        {"max_prebins": 201},
        {"merging": "best"},
        {"max_bins": 0},
        {"min_fraction": 1.1},
        {"min_events": -1.0},
        {"min_events": float("inf")},
        {"monotone": "rising"},
        {"monotone": "ascending", "merging": "chi_merge"},
        {"significance": 0.0},
        {"min_iv": float("nan")},
        {"max_correlation": 1.5},
        {"max_vif": 0.5},
    ],
)
def test_what_is_out_of_range_is_named(wrong):
    """The message names the parameter and what is allowed."""
    with pytest.raises(ParameterError, match=rf"{next(iter(wrong))}=.*allowed"):
        BinningParams(**wrong)


def test_every_mistake_is_named_at_once():
    """Two mistakes are told in one message."""
    with pytest.raises(ParameterError, match=r"max_bins.*min_iv"):
        BinningParams(max_bins=0, min_iv=-1.0)
