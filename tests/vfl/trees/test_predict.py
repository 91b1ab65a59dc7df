"""Scores from shares are xgboost's to the last bit, and no share scores alone."""

import numpy as np
import pytest
import xgboost

from vfl.errors import DataError, NotAligned
from vfl.params import TreeParams
from vfl.trees.export import to_xgboost_json
from vfl.trees.predict import BLOCK_ROWS, Predictor, split_directions

PARAMS = TreeParams(n_estimators=8, max_depth=4, max_bin=32)


@pytest.fixture(scope="module")
def grown(federation):
    table = federation.make_table(rows=800, widths=(2, 2, 2), known=0.7)
    ours = federation.grow_together(table, PARAMS)
    booster = xgboost.Booster()
    booster.load_model(bytearray(to_xgboost_json(ours.label, ours.features)))
    return table, ours, booster


def directions_of(ours, table):
    return [
        split_directions(share, part)
        for share, (part, _) in zip(ours.features.values(), table.parts[1:], strict=True)
    ]


def known_of(table):
    return [known for _, known in table.parts[1:]]


def margins(share, columns, directions, known):
    predictor = Predictor(share)
    return predictor.margins(predictor.sides(columns, directions, known))


def score(ours, table):
    return margins(ours.label, table.parts[0][0], directions_of(ours, table), known_of(table))


def test_scoring_the_training_rows_gives_the_margins_of_training(grown):
    """Walking the finished trees ends in the leaves that training put the rows in, bit for bit."""
    table, ours, _ = grown
    assert np.array_equal(score(ours, table), ours.margin)


def test_margins_equal_xgboost_on_new_rows(grown, federation):
    """On rows never seen, some beyond every cut point and some unknown, margins equal xgboost's bits."""
    _, ours, booster = grown
    fresh = federation.make_table(seed=9, rows=BLOCK_ROWS + 500, widths=(2, 2, 2), missing=0.2, known=0.5)
    fresh.pooled *= 3
    fresh.parts = [(part * 3, known) for part, known in fresh.parts]
    data = xgboost.DMatrix(fresh.pooled, feature_names=booster.feature_names)
    assert np.array_equal(score(ours, fresh), booster.predict(data, output_margin=True))


def test_the_order_of_a_partys_rows_does_not_matter(grown):
    """Directions may come in any order of rows, if ``known`` says which they are."""
    table, ours, _ = grown
    shuffle = np.random.default_rng(0).permutation(len(table.parts[1][1]))
    directions, known = directions_of(ours, table), known_of(table)
    directions[0], known[0] = directions[0][shuffle], known[0][shuffle]
    assert np.array_equal(margins(ours.label, table.parts[0][0], directions, known), ours.margin)


def test_a_missing_value_goes_the_default_way(grown):
    """A row without any value gets at every split that split's default direction."""
    _, ours, _ = grown
    for share in ours.features.values():
        nothing = np.full((1, len(share.columns)), np.nan, dtype=np.float32)
        assert split_directions(share, nothing)[0].tolist() == share.splits.default_left


def test_a_value_on_the_threshold_goes_right(grown):
    """Left is strictly below the threshold, as in xgboost."""
    _, ours, _ = grown
    share = ours.features["peer1"]
    for split, (feature, threshold) in enumerate(
        zip(share.splits.feature, share.splits.threshold, strict=True)
    ):
        row = np.zeros((2, len(share.columns)), dtype=np.float32)
        row[0, feature] = threshold
        row[1, feature] = np.nextafter(np.float32(threshold), np.float32(-np.inf))
        assert split_directions(share, row)[:, split].tolist() == [False, True]


def test_what_does_not_fit_the_model_is_refused(grown):
    """Missing directions, another row count or another column count raise NotAligned; infinity, DataError."""
    table, ours, _ = grown
    columns = table.parts[0][0]
    with pytest.raises(NotAligned):
        margins(ours.label, columns, [], [])
    known = known_of(table)
    wrong = [np.ones((len(rows) - 1, 999), dtype=bool) for rows in known]
    with pytest.raises(NotAligned):
        margins(ours.label, columns, wrong, known)
    with pytest.raises(NotAligned):
        split_directions(ours.features["peer1"], columns[:, :1])
    with pytest.raises(DataError):
        split_directions(ours.features["peer1"], np.full_like(columns, np.inf))


def test_no_rows_give_no_margins(grown):
    """An empty batch is answered with an empty result."""
    _, ours, _ = grown
    nothing = [np.zeros((0, len(share.splits)), dtype=bool) for share in ours.features.values()]
    assert margins(ours.label, np.zeros((0, 2), np.float32), nothing, [np.zeros(0, np.int64)] * 2).shape == (
        0,
    )
