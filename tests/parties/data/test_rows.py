"""Rows of a source: usable ones by key, aligned ones in order, read again when the file changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from parties.config import Config
from parties.data.rows import ALIGNMENTS_IN_MEMORY, Source, drawn, load, population
from vfl.errors import NotAligned
from vfl.psi.alignment import Alignment


def aligned(name: str, keys: list[str]) -> Alignment:
    return Alignment.fix(name, "bank", "left", b"k" * 32, keys)


def test_aligned_rows_are_those_of_the_keys_in_their_order(bank: Config) -> None:
    """Of the label table and of its columns alike."""
    rows = load(bank)
    alignment = aligned("a1", ["C007", "C001", "C100"])
    assert rows.rows_of(alignment).tolist() == [7, 1, 100]
    table = rows.only(alignment).label_table
    assert list(table.identifiers) == ["C007", "C001", "C100"]
    np.testing.assert_array_equal(table.columns, rows.label_table.columns[[7, 1, 100]])
    np.testing.assert_array_equal(table.labels, rows.label_table.labels[[7, 1, 100]])


def test_customers_that_left_the_data_are_counted(bank: Config) -> None:
    """The error says how many, never who."""
    with pytest.raises(NotAligned, match="2 of 3 customers of alignment a1 are not in the data") as caught:
        load(bank).rows_of(aligned("a1", ["C001", "X1", "X2"]))
    assert "X1" not in str(caught.value)


def test_a_source_is_read_again_when_its_file_changes(bureau: Config) -> None:
    """The same file is read once; of an unchanged alignment the array stays, read-only."""
    source, alignment = Source(bureau), aligned("a1", ["C060", "C050"])
    first = source.rows()
    assert source.rows() is first
    names, columns = source.aligned(alignment)
    assert names == ["balance", "delays"]
    assert columns[:, 0].tolist() == [60 % 7, 50 % 7]
    assert not columns.flags.writeable
    assert source.aligned(alignment)[1] is columns
    file = Path(bureau.data.source)
    text = file.read_text()
    os.utime(file, ns=(1, 1))
    assert source.aligned(alignment)[1] is columns, "the same values share one array"
    file.write_text(text.replace("c060,4,", "c060,5,"))
    assert source.rows() is not first
    assert source.aligned(alignment)[1][:, 0].tolist() == [5, 50 % 7]


def test_few_alignments_stay_in_memory(bureau: Config) -> None:
    """The one that was used longest ago makes way."""
    source = Source(bureau)
    alignments = [aligned(f"a{n}", [f"C{60 + n:03d}"]) for n in range(ALIGNMENTS_IN_MEMORY + 1)]
    arrays = [source.aligned(alignment)[1] for alignment in alignments]
    assert source.aligned(alignments[-1])[1] is arrays[-1]
    assert source.aligned(alignments[0])[1] is not arrays[0]


def test_validation_rows_are_drawn_by_key() -> None:
    """The same customers whatever the order of rows, others with another seed, and about as many as asked."""
    keys = [f"C{n}" for n in range(2_000)]
    chosen = {key for key, out in zip(keys, drawn(keys, 0.25, 7), strict=True) if out}
    again = {key for key, out in zip(keys[::-1], drawn(keys[::-1], 0.25, 7), strict=True) if out}
    other = {key for key, out in zip(keys, drawn(keys, 0.25, 8), strict=True) if out}
    assert chosen == again != other
    assert 400 < len(chosen) < 600
    assert not drawn(keys, 0.0, 7).any()


def test_a_population_has_one_digest_in_any_order() -> None:
    """Another customer is another population."""
    assert population(["C1", "C2"]) == population(["C2", "C1"]) != population(["C1", "C3"])
