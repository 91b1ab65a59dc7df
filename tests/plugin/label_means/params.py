"""Parameters of label means."""

from __future__ import annotations

from msgspec import Struct

from vfl import ranges


class LabelMeansParams(Struct, frozen=True, kw_only=True):
    """Parameters of label means.

    Attributes:
        bins: most bins of a column.

    Raises:
        ParameterError: a parameter is outside its range.
    """

    bins: int = 8

    def __post_init__(self) -> None:
        ranges.refuse(ranges.mistakes(self, {"bins": ranges.integer(2, 200)}))
