"""What there is still too much of does not grow, and what has become less stays less."""

from __future__ import annotations

import json

import pytest

from tests.structure import census

REMEDY = "run `python -m tests.structure.census` to write down what has become less"


@pytest.mark.parametrize("kind", census.KINDS)
def test_nothing_of_it_is_new(kind: str) -> None:
    """No package has more of it than is written down; the failure lists where it is."""
    allowed, counted = json.loads(census.REMAINING.read_text())[kind], census.count(kind)
    grown = {package for package, number in counted.items() if number > allowed.get(package, 0)}
    assert [place for package, place in census.places(kind) if package in grown] == []


@pytest.mark.parametrize("kind", census.KINDS)
def test_what_is_less_is_written_down(kind: str) -> None:
    """The numbers on record are those that are counted, or they could grow back."""
    allowed, counted = json.loads(census.REMAINING.read_text())[kind], census.count(kind)
    assert {name: n for name, n in allowed.items() if counted.get(name, 0) < n} == {}, REMEDY
