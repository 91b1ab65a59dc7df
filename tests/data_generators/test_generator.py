"""What every generated story promises: who knows whom, how keys are written, and in which order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_generators.__main__ import STORIES


@pytest.fixture(scope="module", params=STORIES)
def told(request, tell):
    return tell(request.param)


def test_equal_seeds_give_equal_tables(told) -> None:
    """The same rows and seed give the same tables, and another seed gives others."""
    first, again, other = (told.generator.generate(300, seed) for seed in (3, 3, 4))
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, again[name])
        assert not table.equals(other[name])


def test_every_column_is_explained(told) -> None:
    """The tables hold the schema's columns in that order, each with a meaning and a unit."""
    for institution in told.schema.keys:
        expected = [c.name for c in told.schema.columns if c.institution == institution]
        assert list(told.tables[institution]) == expected
        assert 8 <= len(told.schema.features(institution)) <= 12
    assert list(told.tables[f"{told.bank}_test"]) == list(told.tables[told.bank])
    assert all(c.meaning and c.unit for c in told.schema.columns)


def test_one_row_in_a_hundred_is_fraud(told) -> None:
    """The fraud rate is about 1% in both tables of the bank, and no partner holds the label."""
    label = told.schema.label
    assert 0.008 < told.tables[told.bank][label].mean() < 0.012
    assert 0.005 < told.tables[f"{told.bank}_test"][label].mean() < 0.015
    assert all(label not in told.tables[partner] for partner in told.partners)


@pytest.mark.parametrize("part", ["", "_test"])
def test_partners_know_a_part_of_the_rows(told, part: str) -> None:
    """After making keys alike, a partner knows its stated share of old and of new rows."""
    ours = told.keys(told.bank + part)
    assert ours.is_unique
    for partner in told.partners:
        theirs = told.keys(partner)
        assert theirs.is_unique
        assert ours.isin(theirs).mean() == pytest.approx(told.generator.known[partner], abs=0.02)


def test_partners_have_strangers_and_write_keys_their_own_way(told) -> None:
    """A partner also has rows that no bank table holds; as written, no key is the bank's."""
    both = pd.concat([told.keys(told.bank), told.keys(f"{told.bank}_test")])
    written = told.tables[told.bank][told.schema.keys[told.bank].column]
    for partner in told.partners:
        strangers = (~told.keys(partner).isin(both)).sum()
        assert strangers == told.generator.strangers[partner] * told.rows
        assert not told.tables[partner][told.schema.keys[partner].column].isin(written).any()


def test_row_orders_are_unrelated(told) -> None:
    """The order of a partner's rows tells nothing of the order of the bank's, nor of who is a stranger."""
    keys = told.keys(told.bank)
    place = pd.Series(np.arange(len(keys)), index=keys)
    for partner in told.partners:
        found = told.keys(partner).map(place)
        assert abs(found.corr(pd.Series(found.index, dtype=float))) < 0.04
        assert abs(found.isna().astype(float).corr(pd.Series(found.index, dtype=float))) < 0.04


def test_every_partner_adds_something(told) -> None:
    """On rows not trained on, all columns together beat the bank clearly, and no partner can be spared."""
    everybody = list(told.schema.keys)
    alone, together = told.auc(told.bank), told.auc(*everybody)
    assert 0.67 < alone < 0.82
    assert 0.87 < together < 0.96
    assert together > alone + 0.1
    for partner in told.partners:
        others = [name for name in everybody if name != partner]
        assert told.auc(*others) < together - 0.01


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_files_hold_the_tables(told, tmp_path, format: str) -> None:
    """What is written is read back equal, whatever the format."""
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[format]
    paths = told.generator.write(tmp_path / "new", rows=300, seed=5, format=format)
    assert [path.name for path in paths] == [f"{name}.{format}" for name in told.tables]
    for path, table in zip(paths, told.generator.generate(300, 5).values(), strict=True):
        pd.testing.assert_frame_equal(read(path), table, check_dtype=format == "parquet")


def test_unknown_formats_are_refused(told, tmp_path) -> None:
    """A format that is neither of the two is an error before anything is written."""
    with pytest.raises(ValueError, match="csv or parquet"):
        told.generator.write(tmp_path / "new", format="xls")
    assert not (tmp_path / "new").exists()
