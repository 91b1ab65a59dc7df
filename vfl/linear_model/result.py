"""What training a linear model leaves at the label party, whichever algorithm trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vfl.linear_model.parts import LinearLabelPart

Progress = Callable[[int, int, str], None]
"""Called with how much is done, how much there is at most, and what happened."""


@dataclass(frozen=True)
class LinearResult:
    """What training a linear model leaves at the label party.

    Attributes:
        part: the label party's part of the model.
        history: for each round the largest change of a feature party's coefficient that its quadratic model
            asked for.
        directions: by feature party, how many directions it offered.
        converged: whether the last changes are all within the tolerance. If not, rounds ran out, or a party
            offers no more directions; the coefficients are the best that the offered ones allow.
        columns: the label party's column names, then each feature party's as ``party.name``, or
            ``party.number`` where it does not show names.
    """

    part: LinearLabelPart
    history: list[float]
    directions: dict[str, int]
    converged: bool
    columns: list[str]
