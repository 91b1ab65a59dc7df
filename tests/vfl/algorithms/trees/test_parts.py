"""Shares are written and read without loss, and damaged ones are refused."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import SplitTable, Tree, TreesFeaturePart, TreesLabelPart, TreesPeer
from vfl.errors import StateError

STUMP = {
    "owner": [1, -1, -1],
    "split": [0, -1, -1],
    "left": [1, -1, -1],
    "default_left": [True, False, False],
    "value": [0.0, -0.5, 0.5],
    "gain": [3.0, 0.0, 0.0],
    "cover": [10.0, 4.0, 6.0],
}
NO_SPLITS = SplitTable(feature=[], threshold=[], default_left=[])


def label(**changed):
    fields = {
        "params": TreeParams(),
        "base_score": 0.5,
        "columns": ["age"],
        "owners": ["telco"],
        "peers": [TreesPeer(shown=["", "calls"], split_column=[1])],
        "splits": NO_SPLITS,
        "trees": [Tree(**STUMP)],
    }
    return TreesLabelPart(**fields | changed)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=8))
def test_numbers_keep_their_bits(thresholds):
    """Every float32 threshold comes back as it was, through JSON."""
    n = len(thresholds)
    part = TreesFeaturePart(
        columns=["a"], splits=SplitTable(feature=[0] * n, threshold=thresholds, default_left=[False] * n)
    )
    back = ALGORITHMS.feature_part(to_json(part))
    assert back == part
    assert np.array(back.splits.threshold).tobytes() == np.array(thresholds).tobytes()


def test_a_label_share_comes_back_as_it_was():
    """Trees, parameters and names survive, the best round too."""
    part = label(best_iteration=3, params=TreeParams(max_depth=2, eval_metric="auc"))
    assert ALGORITHMS.label_part(to_json(part)) == part


@pytest.mark.parametrize(
    "changed",
    [
        {"left": [0, -1, -1]},  # a child that is its own parent
        {"left": [2, -1, -1]},  # a child that does not exist
        {"owner": [-1, -1, -1]},  # nodes that nothing leads to
        {"value": [0.0, 0.5]},
        {"split": [-2, -1, -1]},
        {"owner": [-3, -1, -1]},
        {"value": [0.0, float("inf"), 0.0]},
        {"owner": [], "split": [], "left": [], "default_left": [], "value": [], "gain": [], "cover": []},
    ],
)
def test_a_tree_that_contradicts_itself_is_refused(changed):
    """A walk down a tree that was read always ends in one of its leaves."""
    with pytest.raises(StateError, match="Damaged"):
        Tree(**STUMP | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 1},
        {"peers": []},  # an owner of unknown columns
        {"peers": [TreesPeer(shown=["", "calls"], split_column=[])]},  # the stump's split is on no column
        {"peers": [TreesPeer(shown=[""], split_column=[0, 0])]},  # a column of a split that no tree has
        {"owners": []},  # the stump's owner 1 is nobody
        {"trees": [Tree(**STUMP | {"owner": [0, -1, -1]})]},  # a reference into an empty table
        {"splits": SplitTable(feature=[1], threshold=[0.5], default_left=[True])},  # column 1 of one column
    ],
)
def test_a_share_that_does_not_hold_together_is_refused(changed):
    """Version, owners, references and columns are checked when a share is made or read."""
    with pytest.raises(StateError, match="Damaged"):
        label(**changed)


@pytest.mark.parametrize("split_column", [[2], [-1]])
def test_a_split_on_no_column_is_refused(split_column):
    """Each split of a feature party is on one of the columns that the label party knows of."""
    with pytest.raises(StateError, match="Damaged"):
        TreesPeer(shown=["", "calls"], split_column=split_column)


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"[]", b'{"version": 1}', b"\xff\xfe", to_json(label()).replace(b"telco", b"tel\xff")],
)
def test_bytes_that_are_no_share_are_refused(data):
    """Anything else than a share raises StateError, not a parser's error."""
    for read in (ALGORITHMS.label_part, ALGORITHMS.feature_part):
        with pytest.raises(StateError):
            read(data)


def test_damage_inside_a_stored_share_is_refused():
    """A stored share with one list cut short, a foreign field or wrong parameters is not read."""
    stored = msgspec.json.decode(to_json(label()))
    for damage in (
        {"trees": [STUMP | {"gain": []}]},
        {"surprise": 1},
        {"params": {"max_depth": 0}},
        {"columns": [1]},
    ):
        with pytest.raises(StateError):
            ALGORITHMS.label_part(msgspec.json.encode(stored | damage))


def test_a_feature_partys_share_shows_no_tree_and_no_leaf():
    """Its fields are columns and splits: neither the shape of a tree nor a leaf value is there."""
    assert set(TreesFeaturePart.__struct_fields__) == {"version", "columns", "splits"}
    assert set(SplitTable.__struct_fields__) == {"feature", "threshold", "default_left"}


def test_a_table_can_be_cut_to_the_trees_kept():
    """Dropping later trees leaves the first splits, as many as the kept trees refer to."""
    trees = [Tree(**STUMP), Tree(**STUMP | {"split": [1, -1, -1]})]
    part = label(trees=trees, peers=[TreesPeer(shown=[""], split_column=[0, 0])])
    assert (part.splits_of(1), label(trees=trees[:1]).splits_of(1), part.splits_of(0)) == (2, 1, 0)
    table = SplitTable(feature=[0, 1], threshold=[0.5, 1.5], default_left=[True, False])
    assert table.first(1) == SplitTable(feature=[0], threshold=[0.5], default_left=[True])
    assert len(table) == 2
