"""Names of alignments, binnings and models: chosen or fresh, and such that a file can carry them."""

from __future__ import annotations

import pytest

from parties.storage.names import chosen
from vfl.errors import ParameterError


def test_a_fresh_name_says_its_kind_and_is_new() -> None:
    """Kind, time and a random end."""
    first, second = chosen("model", None), chosen("model", None)
    assert first.startswith("model-20")
    assert first != second
    assert chosen("model", first) == first


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "x" * 65, "ä"])
def test_what_a_file_cannot_carry_is_refused(name: str) -> None:
    """The error says which names can be chosen."""
    with pytest.raises(ParameterError, match=r"up to 64 letters, digits"):
        chosen("model", name)
