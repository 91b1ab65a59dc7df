"""Rows that take part in a training: all of them, or those that every peer knows."""

from __future__ import annotations

import msgspec
import pytest

from parties.config import Config
from parties.data.rows import load, population
from parties.label.cohort import taking_part
from parties.storage.model_store import AlignmentRecord
from vfl.errors import NotAligned
from vfl.psi.alignment import Alignment

RECORD = AlignmentRecord(
    alignment="a1", mode="left", source="bank.csv", rows=200, common={"bureau": 2}, population="", created=""
)


def test_the_mode_says_which_rows_take_part(bank: Config) -> None:
    """In an inner alignment they come in its order."""
    rows = load(bank)
    record = msgspec.structs.replace(RECORD, population=population(rows.identifiers.keys))
    alignments = {"bureau": Alignment.fix("a1", "bureau", "inner", b"k" * 32, ["C100", "C050"])}
    assert len(taking_part(record, alignments, rows).identifiers) == 200
    inner = msgspec.structs.replace(record, mode="inner")
    assert list(taking_part(inner, alignments, rows).identifiers) == ["C100", "C050"]


def test_other_data_does_not_take_part(bank: Config) -> None:
    """One customer more or less, and the rows are aligned again."""
    with pytest.raises(NotAligned, match="the data has changed since alignment a1; align again"):
        taking_part(msgspec.structs.replace(RECORD, population="other"), {}, load(bank))
