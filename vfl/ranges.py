"""What a parameter may be, with the words that say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from vfl.errors import ParameterError

Range = tuple[Callable[[Any], bool], str]
"""Whether a value fits, and what is allowed."""


def mistakes(params: Struct, ranges: Mapping[str, Range]) -> list[str]:
    """Return a line for each parameter outside its range: its name, its value, and what is allowed."""
    return [
        f"{name}={getattr(params, name)!r} (allowed: {allowed})"
        for name, (fits, allowed) in ranges.items()
        if not fits(getattr(params, name))
    ]


def refuse(errors: Sequence[str]) -> None:
    """Raise ParameterError with every mistake, if there is any."""
    if errors:
        raise ParameterError("Parameters outside their range: " + "; ".join(errors))


def is_integer(value: Any) -> bool:
    """Return whether a value is a whole number, truth values not counted."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return (is_integer(value) or isinstance(value, float)) and math.isfinite(value)


def integer(low: int, high: int) -> Range:
    """Whole numbers of a range, both ends included."""
    return lambda value: is_integer(value) and low <= value <= high, f"a whole number {low} to {high}"


def number(low: float, high: float) -> Range:
    """Numbers of a range, both ends included."""
    return lambda value: is_number(value) and low <= value <= high, f"{low:g} to {high:g}"


def one_of(names: Sequence[str]) -> Range:
    """One of some texts."""
    return lambda value: value in names, " or ".join(names)


def or_none(inner: Range) -> Range:
    """A value of another range, or None."""
    fits, allowed = inner
    return lambda value: value is None or fits(value), f"None or {allowed}"


NUMBER: Range = (is_number, "a finite number")
POSITIVE: Range = (lambda value: is_number(value) and value > 0, "a finite number above 0")
NOT_NEGATIVE: Range = (lambda value: is_number(value) and value >= 0, "a finite number, 0 or above")
FRACTION: Range = (lambda value: is_number(value) and 0 < value <= 1, "above 0, at most 1")
FLAG: Range = (lambda value: isinstance(value, bool), "true or false")
