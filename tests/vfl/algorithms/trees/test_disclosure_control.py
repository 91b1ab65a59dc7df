"""Disclosure control: no sum of few rows is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.columns import NodeRows
from vfl.algorithms.trees.disclosure_control import (
    DisclosureControl,
    DisclosurePolicy,
    DisclosureReport,
    TreeDisclosure,
    few_missing,
    merge_bins,
)
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import NotAllowed, OutOfSequence

ROWS = 200


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 12) | st.none(), min_size=1, max_size=120), least=st.integers(1, 30))
def test_every_merged_bin_has_enough_rows(values: list[int | None], least: int) -> None:
    """Each bin has the least number of rows or is the only one, and cut points are some of those before."""
    column = np.array([[np.nan if v is None else v] for v in values], dtype=np.float32)
    before = cut_points(column, 16)
    after = merge_bins(before, bin_columns(column, before), least)
    rows = np.bincount(bin_columns(column, after)[:, 0], minlength=after.n_bins[0] + 1)[: after.n_bins[0]]
    assert (rows >= least).all() or after.n_bins[0] == 1
    assert set(after.values) <= set(before.values)
    assert after.values[-1] == before.values[-1]


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        ([9, 1, 5], [10, 5]),
        ([5, 1, 9], [5, 10]),
        ([1, 9, 1], [11]),
        ([9, 1, 1, 9], [11, 9]),
        ([9, 1, 2, 12], [10, 14]),
        ([1, 1, 9], [11]),
        ([9, 4, 1], [14]),
        ([1, 1], [2]),
    ],
)
def test_a_bin_of_few_rows_joins_the_larger_neighbour(rows: list[int], after: list[int]) -> None:
    """Whose sums it changes least, so that the split next to it stays if it was a good one."""
    column = np.repeat(np.arange(len(rows), dtype=np.float32), rows)[:, None]
    cuts = cut_points(column, 16)
    merged = merge_bins(cuts, bin_columns(column, cuts), 5)
    assert np.bincount(bin_columns(column, merged)[:, 0]).tolist() == after


def test_bins_with_enough_rows_stay_as_xgboost_cut_them() -> None:
    """Nothing changes where no bin is too small."""
    columns = np.random.default_rng(0).normal(size=(1_000, 3)).astype(np.float32)
    cuts = cut_points(columns, 16)
    merged = merge_bins(cuts, bin_columns(columns, cuts), 20)
    assert np.array_equal(merged.values, cuts.values)
    assert np.array_equal(merged.pointers, cuts.pointers)


def test_few_missing_values_join_the_fullest_bin() -> None:
    """Some, but too few, are counted in a bin; none and enough are left alone."""
    bins = np.array([[0, 0, 1], [1, 2, 1], [1, 2, 2], [2, 2, 2], [1, 1, 0]], dtype=np.uint8)
    assert few_missing(bins, np.array([2, 2, 3]), np.ones(5, bool), 2) == {0: 1}


def opened(policy: DisclosurePolicy, rows: int = ROWS) -> tuple[TreeDisclosure, NodeRows]:
    sampled = np.arange(ROWS) < rows
    return DisclosureControl(policy, ROWS).open_tree(sampled), NodeRows(sampled)


def cut(nodes: NodeRows, node: int, left: int, count: int) -> None:
    nodes.split(node, left, np.arange(len(nodes[node])) < count)


@pytest.mark.parametrize(("count", "told"), [(0, True), (1, False), (9, False), (10, True), (191, False)])
def test_children_of_few_rows_are_withheld_both(count: int, told: bool) -> None:
    """A child with some rows but too few is not told, nor its sibling, which the parent would tell."""
    disclosure, nodes = opened(DisclosurePolicy(node_rows=10))
    cut(nodes, 0, 1, count)
    assert disclosure.tells(1, nodes) is told


def test_below_a_withheld_node_nothing_is_told() -> None:
    """Two large children of a withheld node add up to it, so they are withheld as well."""
    disclosure, nodes = opened(DisclosurePolicy(node_rows=10))
    cut(nodes, 0, 1, 3)
    assert not disclosure.tells(1, nodes)
    cut(nodes, 2, 3, 100)
    disclosure.split(2, 3)
    assert not disclosure.tells(3, nodes)


def test_no_node_is_told_twice() -> None:
    """A pair of children is asked for once."""
    disclosure, nodes = opened(DisclosurePolicy())
    cut(nodes, 0, 1, 50)
    assert disclosure.tells(1, nodes)
    with pytest.raises(OutOfSequence, match="asked for before"):
        disclosure.tells(1, nodes)


def test_a_short_gradient_vector_is_refused() -> None:
    """Gradients of fewer rows than the owner asks for are not taken."""
    with pytest.raises(NotAllowed, match="gradients of 49 rows"):
        opened(DisclosurePolicy(vector_rows=50), 49)
    opened(DisclosurePolicy(vector_rows=50), 50)


def test_a_row_is_in_so_many_sums_and_no_more() -> None:
    """The root counts, and both children of a pair: one is told, the other follows."""
    control, nodes = DisclosureControl(DisclosurePolicy(histograms=2), ROWS), NodeRows(np.ones(ROWS, bool))
    disclosure = control.open_tree(np.ones(ROWS, bool))
    cut(nodes, 0, 1, 50)
    assert disclosure.tells(1, nodes)
    with pytest.raises(NotAllowed, match="more than 2 sums"):
        control.open_tree(np.ones(ROWS, bool))


def test_the_label_party_learns_what_disclosure_control_changed(consortium, private_key):
    """It is told how many columns are coarser, and counts the nodes whose sums are withheld."""
    rng = np.random.default_rng(5)
    label = pd.DataFrame({"own": rng.normal(size=80)}, index=[f"c{row}" for row in range(80)])
    rare = pd.DataFrame({"x": rng.normal(size=80), "rare": np.arange(80) >= 79}, index=label.index)
    table = LabelTable(list(label.index), ["own"], label.to_numpy(np.float32), np.float32(rare["x"] > 0.4))
    params = TreeParams(n_estimators=1, max_depth=4, min_child_weight=0.0, max_bin=8)

    def changes(policy: DisclosurePolicy) -> DisclosureReport:
        world = consortium(label, {"telco": rare.astype(np.float32)}, policy=policy)
        trained = train(world.sessions(), world.alignments, table, params, private_key, model_id="m")
        return trained.disclosure["telco"]

    assert changes(DisclosurePolicy()) == DisclosureReport(0, 0)
    assert changes(DisclosurePolicy(histogram_rows=2)).coarser == 1
    assert changes(DisclosurePolicy(node_rows=30)).withheld > 0
