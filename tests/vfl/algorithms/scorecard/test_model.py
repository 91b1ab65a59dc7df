"""Binnings as files: they come back as they were, and damaged ones are refused."""

import msgspec
import numpy as np
import pytest

from vfl.algorithms.scorecard.model import BinRow, ColumnTable, LabelBinning, label_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.errors import DataError, StateError
from vfl.linear_model.evidence import (
    Binning,
    CodedColumn,
    own_binning,
    to_json,
    unknown_columns,
    woe_columns,
)

CODED = CodedColumn(column=1, cuts=[float(np.float32(0.1)), 2.0], woe=[0.3, -0.2, -1 / 3], missing=0.7)
OWN = Binning(columns=["age", "balance"], coded=[CODED])
LINE = BinRow(kind="unknown", rows=10.0, events=1.0, woe=0.1, iv=0.01)
LABEL = LabelBinning(
    params=BinningParams(),
    own=OWN,
    tables=[ColumnTable(owner="telco", column=0, name="", bins=[LINE], selected=True)],
    unknown={"telco": 0.25, "bureau": -0.5},
)


def test_binnings_come_back_as_they_were():
    """Reading what was written gives the same numbers, bit for bit."""
    assert own_binning(to_json(OWN)) == OWN
    assert label_binning(to_json(LABEL)) == LABEL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("version",), 2),
        (("coded", 0, "column"), 2),
        (("coded", 0, "column"), -1),
        (("coded", 0, "woe"), [0.0]),
        (("coded", 0, "cuts"), [2.0, 1.0]),
        (("coded", 0, "missing"), None),
        (("columns",), ["age"]),
    ],
)
def test_damaged_binnings_are_refused(field, value):
    """A binning of another version, or one that contradicts itself, raises StateError."""
    damaged = msgspec.json.decode(to_json(OWN))
    at = damaged
    for key in field[:-1]:
        at = at[key]
    at[field[-1]] = value
    with pytest.raises(StateError):
        own_binning(msgspec.json.encode(damaged))
    with pytest.raises(StateError):
        label_binning(b"{")


def test_values_at_a_cut_are_in_the_bin_above():
    """A value below a cut is in the lower bin, one equal to it in the upper, a missing one in its own."""
    column = np.array([-5, 0.0999, 0.1, 1.99, 2.0, 99, np.nan], dtype=np.float32)
    coded = woe_columns(OWN, np.column_stack([np.zeros(7, np.float32), column]))
    assert coded[:, 0].tolist() == [0.3, 0.3, -0.2, -0.2, -1 / 3, -1 / 3, 0.7]
    assert OWN.names == ["balance"]


def test_other_tables_are_refused():
    """A table of another width raises DataError, and so do customers of parties that are not told."""
    with pytest.raises(DataError):
        woe_columns(OWN, np.zeros((3, 1), np.float32))
    with pytest.raises(DataError, match="bureau"):
        unknown_columns(LABEL.unknown, {"telco": np.ones(3, dtype=bool)})


def test_unknown_customers_have_a_column_for_each_party():
    """The weight of evidence where a party does not know the customer, 0 where it does."""
    known = {"bureau": np.array([True, False]), "telco": np.array([False, True]), "other": np.ones(2, bool)}
    assert unknown_columns(LABEL.unknown, known).tolist() == [[0.25, 0.0], [0.0, -0.5]]


def test_kept_columns_alone_are_coded_as_among_all():
    """A table without the columns that were dropped has the same weights of evidence."""
    other = msgspec.structs.replace(CODED, column=0, missing=-0.1)
    binning = Binning(
        columns=["age", "wage", "balance"], coded=[msgspec.structs.replace(CODED, column=2), other]
    )
    columns = np.array([[0.0, 9.0, 3.0], [np.nan, 9.0, 0.5]], dtype=np.float32)
    kept = binning.of_selected()
    assert (kept.columns, kept.names) == (["age", "balance"], binning.names)
    np.testing.assert_array_equal(woe_columns(kept, columns[:, [0, 2]]), woe_columns(binning, columns))
