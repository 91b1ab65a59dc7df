"""Scores from shares are xgboost's to the last bit, and no share scores alone."""

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import SplitTable, Tree, TreesFeaturePart, TreesLabelPart, TreesPeer
from vfl.algorithms.trees.predictor import TreesPredictor, split_directions
from vfl.errors import DataError, NotAligned
from vfl.model.predictor import BLOCK_ROWS

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
        split_directions(part, block)
        for part, (block, _) in zip(ours.features.values(), table.parts[1:], strict=True)
    ]


def known_of(table):
    return [known for _, known in table.parts[1:]]


def margins(part, columns, directions, known):
    predictor = TreesPredictor(part)
    return predictor.margins(predictor.gather(columns, directions, known))


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


def random_parts(rng, widths, n_trees, depth):
    """Shares of a model of random shape: trees of any owners, thresholds that values do meet."""
    tables = [{"feature": [], "threshold": [], "default_left": []} for _ in widths]
    owners = [owner for owner, width in enumerate(widths) if width]
    trees = []
    for _ in range(n_trees):
        nodes = [(-1, -1, -1, False, float(np.float32(rng.normal())))]
        level = [0]
        for _ in range(depth):
            split, level = [node for node in level if rng.random() < 0.8], []
            for node in split:
                owner, default_left = int(rng.choice(owners)), bool(rng.integers(2))
                table = tables[owner]
                nodes[node] = (owner, len(table["feature"]), len(nodes), default_left, nodes[node][4])
                table["feature"].append(int(rng.integers(widths[owner])))
                table["threshold"].append(float(rng.integers(-2, 3)) / 2)
                table["default_left"].append(default_left)
                level += [len(nodes), len(nodes) + 1]
                nodes += [(-1, -1, -1, False, float(np.float32(rng.normal()))) for _ in range(2)]
        owner, split, left, default_left, value = map(list, zip(*nodes, strict=True))
        zeros = [0.0] * len(nodes)
        trees.append(
            Tree(
                owner=owner,
                split=split,
                left=left,
                default_left=default_left,
                value=value,
                gain=zeros,
                cover=zeros,
            )
        )
    names = [[f"c{number}" for number in range(width)] for width in widths]
    peers = [f"peer{number}" for number in range(1, len(widths))]
    label = TreesLabelPart(
        params=PARAMS,
        base_score=0.3,
        columns=names[0],
        owners=peers,
        peers=[
            TreesPeer(shown=own, split_column=table["feature"])
            for own, table in zip(names[1:], tables[1:], strict=True)
        ],
        splits=SplitTable(**tables[0]),
        trees=trees,
    )
    parts = [
        TreesFeaturePart(columns=own, splits=SplitTable(**table))
        for own, table in zip(names[1:], tables[1:], strict=True)
    ]
    return label, dict(zip(peers, parts, strict=True))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any),
    n_trees=st.integers(1, 40),
    depth=st.integers(0, 6),
    n_rows=st.sampled_from([1, 2, 7, 300]),
    data=st.data(),
)
def test_any_model_scores_as_the_merged_one(seed, widths, n_trees, depth, n_rows, data):
    """Margins and scores of random models equal xgboost's, with unknown customers and silent parties."""
    rng = np.random.default_rng(seed)
    label, features = random_parts(rng, widths, n_trees, depth)
    columns = [(rng.integers(-3, 4, (n_rows, width)) / 2).astype(np.float32) for width in widths]
    for block in columns:
        block[rng.random(block.shape) < 0.2] = np.nan
    directions, known = [], []
    for part, block in zip(features.values(), columns[1:], strict=True):
        knows = rng.random(n_rows) < 0.7
        rows = rng.permutation(np.flatnonzero(knows))
        answers = data.draw(st.booleans())
        block[~knows if answers else slice(None)] = np.nan
        directions.append(split_directions(part, block[rows]) if answers else None)
        known.append(rows)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(to_xgboost_json(label, features)))
    pooled = xgboost.DMatrix(np.concatenate(columns, axis=1), feature_names=booster.feature_names)
    ours = margins(label, columns[0], directions, known)
    assert ours.tobytes() == booster.predict(pooled, output_margin=True).tobytes()
    predictor = TreesPredictor(label)
    assert predictor.predict(columns[0], directions, known).tobytes() == predictor.scores(ours).tobytes()


def test_a_row_scores_alike_alone_and_in_any_batch(grown):
    """A row's sides, margin and score are the same bits whether it is asked for alone or with the others."""
    table, ours, _ = grown
    predictor, columns = TreesPredictor(ours.label), table.parts[0][0]
    directions, known = directions_of(ours, table), known_of(table)
    batch = predictor.gather(columns, directions, known)
    scores = predictor.predict(columns, directions, known)
    for row in range(0, len(columns), 37):
        told = [given[at == row] for given, at in zip(directions, known, strict=True)]
        here = [np.flatnonzero(at[at == row] == row) for at in known]
        alone = predictor.gather(columns[row : row + 1], told, here)
        assert np.array_equal(alone[:, 0], batch[:, row])
        assert predictor.scores(predictor.margins(alone)).tobytes() == scores[row : row + 1].tobytes()


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
    for part in ours.features.values():
        nothing = np.full((1, len(part.columns)), np.nan, dtype=np.float32)
        assert split_directions(part, nothing)[0].tolist() == part.splits.default_left


def test_a_value_on_the_threshold_goes_right(grown):
    """Left is strictly below the threshold, as in xgboost."""
    _, ours, _ = grown
    part = ours.features["peer1"]
    for split, (feature, threshold) in enumerate(
        zip(part.splits.feature, part.splits.threshold, strict=True)
    ):
        row = np.zeros((2, len(part.columns)), dtype=np.float32)
        row[0, feature] = threshold
        row[1, feature] = np.nextafter(np.float32(threshold), np.float32(-np.inf))
        assert split_directions(part, row)[:, split].tolist() == [False, True]


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
    nothing = [np.zeros((0, len(part.splits)), dtype=bool) for part in ours.features.values()]
    known = [np.zeros(0, np.int64)] * 2
    assert margins(ours.label, np.zeros((0, 2), np.float32), nothing, known).shape == (0,)
    assert TreesPredictor(ours.label).predict(np.zeros((0, 2), np.float32), nothing, known).shape == (0,)
