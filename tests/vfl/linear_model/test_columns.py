"""A feature party's columns for a training: the rows that both parties mean, scaled or coded."""

import numpy as np
import pandas as pd
import pytest

from vfl.errors import DataError, NotAligned, StateError
from vfl.linear_model.columns import TrainingColumns
from vfl.linear_model.evidence import Binning, CodedColumn, woe_columns

ROWS = 30
BINNING = Binning(
    columns=["a", "b"], coded=[CodedColumn(column=1, cuts=[0.0], woe=[-0.5, 1.0], missing=0.25)]
)


@pytest.fixture
def party(consortium):
    customers = [f"C{i}" for i in range(ROWS)]
    values = np.random.default_rng(0).normal(3, 2, (ROWS, 2)).astype(np.float32)
    values[4, 0] = values[5, 1] = np.nan
    frame = pd.DataFrame(values, index=customers, columns=["a", "b"])
    known = pd.DataFrame({"x": np.zeros(20)}, index=customers[:20])
    party = consortium(known, {"telco": frame}).parties["telco"]
    party.save_binning("b1", BINNING)
    return party


def load(party, binning=None, **options):
    options = {"standardise": True} | options
    alignment = party.alignments["rows"]
    return TrainingColumns.load(party, "rows", alignment.fingerprint, binning, **options)


def aligned(party):
    return party.aligned_columns(party.alignments["rows"])[1]


def test_columns_are_scaled_on_the_aligned_rows(party):
    """Mean 0 and deviation 1 there, a missing value counting as the mean; other rows move nothing."""
    columns = load(party)
    assert (columns.names, columns.binning) == (["a", "b"], None)
    assert columns.scaled.shape == (20, 2)
    assert columns.scaled.mean(axis=0) == pytest.approx([0, 0])
    assert np.array_equal(columns.scaled == 0, np.isnan(aligned(party)))
    party.frame.loc["C25":] = 1000.0
    assert np.array_equal(load(party).scaled, columns.scaled)


def test_columns_that_are_not_standardised_keep_their_unit(party):
    """A known value is shifted at most, so that its coefficient is per unit of the column."""
    values, scaled = aligned(party), load(party, standardise=False).scaled
    steps = np.diff(np.where(np.isnan(values), 0, values), axis=0)
    known = ~(np.isnan(values[1:]) | np.isnan(values[:-1]))
    assert np.diff(scaled, axis=0)[known] == pytest.approx(steps[known].astype(float), rel=1e-5, abs=1e-5)


def test_a_limit_holds_for_every_scaled_value(party):
    """No customer is further from the mean than the limit."""
    assert np.abs(load(party).scaled).max() > 1.5
    assert np.abs(load(party, limit=1.5).scaled).max() == 1.5


def test_binned_columns_are_weights_of_evidence(party):
    """Those that were kept take part, as they are: neither scaled nor limited."""
    columns = load(party, "b1", limit=0.1)
    assert (columns.names, columns.binning) == (["b"], BINNING)
    assert np.array_equal(columns.scaled, woe_columns(BINNING, aligned(party)))


def test_names_are_shown_or_not(party):
    """A party that hides its names still says how many columns there are."""
    columns = load(party)
    assert columns.shown(True) == ["a", "b"]
    assert columns.shown(False) == ["", ""]


@pytest.mark.parametrize("binning", [None, "b1"])
def test_customers_that_the_party_does_not_know_follow_its_rows(party, binning):
    """Each counts as the part of the model says, whatever the coefficients."""
    columns = load(party, binning)
    rows = columns.with_strangers(2)
    assert np.array_equal(rows[:20], columns.scaled)
    coefficients = np.arange(1.0, 1 + rows.shape[1])
    part = columns.part(coefficients)
    assert rows[20:] @ coefficients == pytest.approx([part.terms.unknown()] * 2)
    assert np.array_equal(columns.with_strangers(0), columns.scaled)


@pytest.mark.parametrize("binning", [None, "b1"])
def test_a_part_says_of_a_row_what_training_made_of_it(party, binning):
    """Coefficients times the columns of training are the part's contributions and its base."""
    columns = load(party, binning)
    coefficients = np.array([0.5, -2.0])[: len(columns.names)]
    part = columns.part(coefficients)
    contributions = part.terms.contributions(part.coded(aligned(party)))
    assert contributions.sum(axis=1) + part.terms.base == pytest.approx(columns.scaled @ coefficients)
    assert part.terms.base == pytest.approx(columns.scaled.mean(axis=0) @ coefficients)
    assert part.terms.columns == columns.names


def test_rows_that_the_parties_do_not_share_are_refused(party):
    """A wrong fingerprint, an unknown alignment, and an unknown binning."""
    with pytest.raises(NotAligned, match="ordered rows"):
        TrainingColumns.load(party, "rows", bytes(32), None, standardise=True)
    with pytest.raises(StateError):
        TrainingColumns.load(party, "other", bytes(32), None, standardise=True)
    with pytest.raises(StateError, match="no such binning"):
        load(party, "b2")


def test_columns_other_than_those_that_were_binned_are_refused(party):
    """A table that has changed since is binned again."""
    party.frame = party.frame[["b", "a"]]
    with pytest.raises(NotAligned, match="bin again"):
        load(party, "b1")


def test_a_column_without_any_value_is_refused(party):
    """There is nothing to scale."""
    party.frame["a"] = np.nan
    with pytest.raises(DataError):
        load(party)
