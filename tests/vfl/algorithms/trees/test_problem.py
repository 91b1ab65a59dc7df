"""What the label party fixes before the first tree: rows, start, and bounds that every gradient keeps."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.loss import LOSSES
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.problem import TreesProblem
from vfl.errors import DataError, NotAligned
from vfl.psi.alignment import Alignment

ROWS = 50


def label_table(rows=ROWS, weights=None, seed=0):
    labels = (np.random.default_rng(seed).random(rows) < 0.4).astype(np.float32)
    labels[:2] = 0, 1
    names = [f"C{i}" for i in range(rows)]
    return LabelTable(names, ["x"], np.zeros((rows, 1), np.float32), labels, weights)


def aligned(rows):
    """Return the alignment with a party that knows these rows of the label party, in this order."""
    places = sorted(rows)
    return Alignment.fix("rows", "telco", "left", bytes(32), [f"C{row}" for row in places], places)


def problem(table=None, watch=None, alignments=None, **params):
    table = label_table() if table is None else table
    watch = np.zeros(len(table.labels), bool) if watch is None else watch
    return TreesProblem(table, TreeParams(**params), watch, {} if alignments is None else alignments)


def test_every_row_knows_how_many_parties_take_its_ciphertext():
    """A row that no party knows, or that only validates, is not encrypted."""
    watch = np.arange(ROWS) >= 40
    parties = {"telco": aligned(range(10, 45)), "insurer": aligned(range(20, 25))}
    made = problem(watch=watch, alignments=parties)
    assert made.rows_in_label_table["telco"].tolist() == list(range(10, 45))
    assert made.recipients_per_row.tolist() == [0] * 10 + [1] * 10 + [2] * 5 + [1] * 20 + [0] * 5
    assert made.rows_encrypted == 30
    assert sorted(made.order) == list(range(ROWS))


def test_without_feature_parties_nothing_is_encrypted():
    """A training on the label party's own columns alone has all its rows in one order."""
    made = problem()
    assert made.rows_encrypted == 0
    assert sorted(made.order) == list(range(ROWS))


def test_rows_kept_for_validation_do_not_move_the_start():
    """The first score is that of the rows that train, whatever the others' labels are."""
    table, watch = label_table(), np.arange(ROWS) >= 30
    flipped = dataclasses.replace(table, labels=np.where(watch, 1 - table.labels, table.labels))
    start = problem(table, watch).base_score
    assert start == pytest.approx(table.labels[:30].mean())
    assert problem(flipped, watch).base_score == start


def test_the_first_margins_are_those_of_the_base_score():
    """A score that the caller gives stands, and every row begins at its margin."""
    made = problem(base_score=0.25)
    assert made.base_score == 0.25
    assert made.start_margin().dtype == np.float32
    assert made.start_margin() == pytest.approx(np.full(ROWS, np.log(1 / 3)))


def test_gradients_are_those_of_the_loss_in_fixed_point():
    """Each is rounded to the nearest place of the packing, and only rows that train are sampled."""
    watch = np.arange(ROWS) % 5 == 0
    weights = np.linspace(0.5, 3, ROWS).astype(np.float32)
    made = problem(label_table(weights=weights), watch)
    margin = np.linspace(-4, 4, ROWS).astype(np.float32)
    drawn = made.gradients(margin, np.random.default_rng(0))
    g, h = LOSSES["binary:logistic"].gradients(margin, made.table.labels, weights, 1)
    place = 2.0**-made.packing.fraction_bits
    assert np.abs(drawn.G * place - g).max() <= place / 2
    assert np.abs(drawn.H * place - h).max() <= place / 2
    assert np.array_equal(drawn.sampled, ~watch)


SAMPLINGS = [
    {},
    {"subsample": 0.5},
    {"data_sample_strategy": "goss", "top_rate": 0.1, "other_rate": 0.05},
]


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000),
    heaviest=st.floats(0.01, 1000),
    scale_pos_weight=st.floats(0.1, 50),
    margin=st.floats(0, 60),
    sampling=st.sampled_from(SAMPLINGS),
)
def test_gradients_keep_their_bounds(seed, heaviest, scale_pos_weight, margin, sampling):
    """Whatever weights and sampling multiply, every row that enters a sum can be packed."""
    rng = np.random.default_rng(seed)
    weights = (heaviest * rng.random(ROWS)).astype(np.float32) + np.float32(0.001)
    table = label_table(weights=weights, seed=seed)
    made = problem(table, scale_pos_weight=scale_pos_weight, **sampling)
    margins = (margin * rng.choice([-1, 1], ROWS)).astype(np.float32)
    drawn = made.gradients(margins, np.random.default_rng(seed))
    made.packing.pack(drawn.G[drawn.sampled], drawn.H[drawn.sampled])


@pytest.mark.parametrize("weight", [0.3, 1.0, 17.0])
def test_bounds_tell_no_more_than_a_power_of_two(weight):
    """They cross the wire, and the heaviest weight cannot be read off them."""
    made = problem(label_table(weights=np.full(ROWS, weight, np.float32)))
    for bound, least in ((made.packing.max_abs_g, weight), (made.packing.max_h, weight / 4)):
        assert np.log2(bound) == np.round(np.log2(bound))
        assert np.float32(least) <= bound < 2 * np.float32(least)


def test_the_bounds_are_of_the_rows_that_train():
    """A sum never has more rows than train, so that few rows leave more binary places."""
    watch = np.arange(ROWS) >= 30
    assert problem(watch=watch).packing.n_rows == 30


def test_the_same_numbers_draw_the_same_rows():
    """Sampling depends on the generator alone, so that a training can be repeated."""
    made = problem(subsample=0.5)
    first, second, third = (
        made.gradients(made.start_margin(), np.random.default_rng(seed)).sampled for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_mistakes_are_told_before_a_party_is_asked():
    """No row to train on, labels of another objective, and customers that the table lacks."""
    with pytest.raises(DataError, match="no row to train on"):
        problem(watch=np.ones(ROWS, bool))
    table = label_table()
    with pytest.raises(DataError, match="needs labels 0 and 1; 1 rows"):
        problem(dataclasses.replace(table, labels=np.append(table.labels[:-1], np.float32(2))))
    with pytest.raises(DataError, match="both labels"):
        problem(watch=table.labels == 1)
    with pytest.raises(NotAligned):
        problem(alignments={"telco": aligned([ROWS])})
