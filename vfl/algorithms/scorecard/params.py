"""What a binning job fixes about bins and about which columns are kept."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from vfl.ranges import NOT_NEGATIVE, Range, integer, is_number, mistakes, number, one_of, or_none, refuse

PreBinning = Literal["quantile", "width"]
Merging = Literal["optimal", "chi_merge", "none"]
Monotone = Literal["ascending", "descending", "either"]

MAX_PREBINS = 200
"""Pre-bins of a column, at most: choosing the best of their merges takes the cube of their number."""


class BinningParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bins of every column, the label party's own and the feature parties'; checked as a whole when made.

    Args:
        prebinning: how each party first cuts its columns, knowing no label: ``quantile`` (about as many rows
            in each pre-bin) or ``width`` (equal lengths between the least and the largest value).
        max_prebins: most pre-bins of a column, 2 to 200.
        merging: how pre-bins become bins: ``optimal`` (the contiguous merge with the largest information
            value), ``chi_merge`` (Kerber 1992), or ``none`` (pre-bins stay, but for those below a minimum).
        max_bins: most bins of a column, missing values not counted.
        min_fraction: least fraction in each bin of the weight of a column's known rows; the missing bin may
            have less.
        min_events: least weight in each bin of rows with label 1, and of rows with label 0. At 0 a bin may
            lack one of them, and its weight of evidence then tells the label of each of its rows.
        monotone: whether event rates must not fall (``ascending``), not rise (``descending``) or do either
            from bin to bin; None for any shape. For ``optimal`` only.
        significance: level of the test below which ``chi_merge`` no longer merges.
        min_iv: least information value of a column that is kept.
        max_correlation: largest absolute correlation between two kept columns of one party, coded by weight
            of evidence; of two the one with less information value goes. None for no limit.
        max_vif: largest variance inflation factor of a kept column among those of its party. None for no
            limit.

    Raises:
        ParameterError: one or more parameters are outside their range; the message names every one.
    """

    prebinning: PreBinning = "quantile"
    max_prebins: int = 20
    merging: Merging = "optimal"
    max_bins: int = 10
    min_fraction: float = 0.05
    min_events: float = 1.0
    monotone: Monotone | None = None
    significance: float = 0.05
    min_iv: float = 0.02
    max_correlation: float | None = None
    max_vif: float | None = None

    def __post_init__(self) -> None:
        errors = mistakes(self, _RANGES)
        if self.monotone is not None and self.merging != "optimal":
            errors.append(f"monotone={self.monotone!r} (allowed with {self.merging}: None)")
        refuse(errors)


_RANGES: dict[str, Range] = {
    "prebinning": one_of(get_args(PreBinning)),
    "max_prebins": integer(2, MAX_PREBINS),
    "merging": one_of(get_args(Merging)),
    "max_bins": integer(1, MAX_PREBINS),
    "min_fraction": number(0, 1),
    "min_events": NOT_NEGATIVE,
    "monotone": or_none(one_of(get_args(Monotone))),
    "significance": (lambda value: is_number(value) and 0 < value < 1, "above 0 and below 1"),
    "min_iv": NOT_NEGATIVE,
    "max_correlation": or_none(number(0, 1)),
    "max_vif": or_none((lambda value: is_number(value) and value >= 1, "a finite number, 1 or above")),
}
