"""Weights of evidence: each value has that of its bin, and a stored binning is read as it was or refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.errors import DataError, StateError
from vfl.linear_model import evidence
from vfl.linear_model.evidence import Binning, CodedColumn, own_binning, to_json, unknown_columns, woe_columns

AGE = CodedColumn(column=2, cuts=[0.0, 1.5], woe=[-1.0, 0.25, 2.0], missing=0.5)
DEBT = CodedColumn(column=0, cuts=[], woe=[0.75], missing=-0.75)
BINNING = Binning(columns=["debt", "left out", "age"], coded=[AGE, DEBT])


def table(age, debt=0.0):
    return np.array([[debt, np.nan, value] for value in age], dtype=np.float32)


def test_a_value_has_the_weight_of_its_bin():
    """A value that reaches a cut is in the bin above it; a missing one has a weight of its own."""
    below, above = np.nextafter(np.float32(0), np.float32(-1)), np.float32(1.5)
    coded = woe_columns(BINNING, table([below, 0, 1.4999, above, 1e30, np.nan]))
    assert coded[:, 0].tolist() == [-1.0, 0.25, 0.25, 2.0, 2.0, 0.5]


def test_columns_come_in_the_order_in_which_they_were_kept():
    """Columns that were not kept are left out, whatever they hold."""
    assert BINNING.names == ["age", "debt"]
    assert woe_columns(BINNING, table([0.0], debt=3)).tolist() == [[0.25, 0.75]]
    assert woe_columns(BINNING, table([np.nan], debt=np.nan)).tolist() == [[0.5, -0.75]]


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30),
    cuts=st.lists(st.integers(-50, 50), unique=True, max_size=8).map(sorted),
)
def test_the_bin_of_a_value_is_how_many_cuts_it_reaches(values, cuts):
    """Whatever the cuts, a bin holds the values from its lower cut up to, and without, its upper one."""
    column = np.array(values, dtype=np.float32)
    bins = evidence.bins_of(column, np.array(cuts, dtype=np.float32))
    assert bins.tolist() == [sum(cut <= value for cut in cuts) for value in values]


def test_a_coding_of_the_kept_columns_alone_codes_alike():
    """A model part keeps no column that it does not use; its table has the others in their old order."""
    kept = BINNING.of_selected()
    rows = table([-1.0, 0.5, 7.0, np.nan], debt=2)
    assert kept.columns == ["debt", "age"]
    assert kept.names == BINNING.names
    assert np.array_equal(woe_columns(kept, rows[:, [0, 2]]), woe_columns(BINNING, rows))


def test_blocks_are_the_whole_in_order():
    """A table larger than a block is coded block by block, to the same numbers."""
    age = np.random.default_rng(0).normal(size=evidence.BLOCK_ROWS + 3)
    rows = np.column_stack([age, age, age]).astype(np.float32)
    blocks = list(evidence.woe_blocks(BINNING, rows))
    assert [len(block) for block in blocks] == [evidence.BLOCK_ROWS, 3]
    assert np.array_equal(np.vstack(blocks), woe_columns(BINNING, rows))


@pytest.mark.parametrize(
    "rows",
    [np.zeros((2, 2), np.float32), np.full((1, 3), np.inf, np.float32), np.zeros((1, 3))],
    ids=["a column too few", "infinite", "float64"],
)
def test_a_table_that_was_not_binned_is_refused(rows):
    """Columns are taken by number, so there have to be as many as were binned."""
    with pytest.raises(DataError):
        woe_columns(BINNING, rows)


def test_a_customer_counts_once_for_each_party_that_does_not_know_it():
    """One column for each party of the binning, 0 for customers that it knows."""
    known = {"shop": np.array([True, False, True]), "telco": np.array([False, False, True])}
    coded = unknown_columns({"telco": -0.5, "shop": 0.25}, known)
    assert coded.tolist() == [[-0.5, 0.0], [-0.5, 0.25], [0.0, 0.0]]
    assert unknown_columns({}, known).shape == (3, 0)


def test_customers_of_a_party_that_is_not_there_are_asked_for():
    """The message names the parties whose alignment is needed."""
    with pytest.raises(DataError, match=r"customers of shop, telco$"):
        unknown_columns({"telco": 1.0, "shop": 1.0, "bank": 1.0}, {"bank": np.ones(1, bool)})


@settings(deadline=None)
@given(
    woe=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    missing=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_stored_binning_is_read_to_the_last_bit(woe, missing):
    """JSON keeps every number, so that a score does not depend on a restart."""
    cuts = [float(number) for number in range(len(woe) - 1)]
    coded = CodedColumn(column=0, cuts=cuts, woe=woe, missing=missing)
    binning = Binning(columns=["x"], coded=[coded])
    read = own_binning(to_json(binning))
    assert read == binning
    assert [math.copysign(1, x) for x in read.coded[0].woe] == [math.copysign(1, x) for x in woe]


@pytest.mark.parametrize(
    "changed",
    [
        {"cuts": [1.0, 1.0]},
        {"cuts": [2.0, 1.0]},
        {"cuts": [1.0]},
        {"cuts": [1.0, math.inf]},
        {"woe": [0.0, math.nan, 0.0]},
        {"missing": math.inf},
        {"column": -1},
    ],
    ids=["equal cuts", "falling cuts", "too few cuts", "an infinite cut", "no weight", "missing", "column"],
)
def test_a_column_that_cannot_be_is_refused(changed):
    """A damaged file is found when it is read, not when a score is wrong."""
    fields = {"column": 0, "cuts": [0.0, 1.0], "woe": [1.0, 2.0, 3.0], "missing": 0.0} | changed
    with pytest.raises(StateError, match="Damaged binning"):
        CodedColumn(**fields)


def test_a_binning_of_another_kind_is_refused():
    """Unknown columns, other versions, and bytes that are no binning each get a sentence."""
    with pytest.raises(StateError, match="unknown column"):
        Binning(columns=["a"], coded=[AGE])
    with pytest.raises(StateError, match="version 2, this release reads version 1"):
        Binning(version=2, columns=[], coded=[])
    for data in (b"", b"\xff", b"[]", to_json(BINNING)[:-1], b'{"columns":["a"],"coded":[],"more":1}'):
        with pytest.raises(StateError, match="Not a readable Binning"):
            own_binning(data)
    damaged = to_json(BINNING).replace(b'"column":2', b'"column":7')
    with pytest.raises(StateError):
        own_binning(damaged)


def test_training_reads_of_a_label_partys_binning_what_it_needs():
    """Its own columns and the weights of unknown customers; other fields are another reader's."""
    data = b'{"own":' + to_json(BINNING) + b',"unknown":{"telco":0.5},"report":[1,2]}'
    named = evidence.named_binning("b1", data)
    assert (named.name, named.own, named.unknown) == ("b1", BINNING, {"telco": 0.5})
