"""Federated training over real bytes and a real key: the trees are those of xgboost on the pooled table."""

import msgspec
import numpy as np
import pandas as pd
import pytest
import xgboost

from vfl.aggregation.table import LabelTable
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.compare import compare_trees
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import TreesLabelPart
from vfl.errors import DataError, NotAligned, ParameterError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.scoring.label_party import ask_part, score

ROWS = 600


def population(rows=ROWS, seed=0, parties=2, known=0.8, missing=0.05):
    """Label columns, feature columns by party (other customers too) and labels, by customer."""
    rng = np.random.default_rng(seed)
    customers = [f"C{i:05d}" for i in range(rows)]
    label = pd.DataFrame(rng.normal(size=(rows, 3)), index=customers, columns=["age", "balance", "tenure"])
    frames = {}
    margin = label["age"].to_numpy() * 0.7
    for number in range(parties):
        values = rng.normal(size=(rows, 3))
        values[:, 2] = rng.integers(0, 4, rows)
        margin = margin + values[:, 0] * values[:, 1] * 0.5 + (values[:, 2] == 1)
        values[rng.random(values.shape) < missing] = np.nan
        frame = pd.DataFrame(values, index=customers, columns=["a", "b", "kind"])
        frame = frame[rng.random(rows) < known]
        strangers = pd.DataFrame(rng.normal(size=(40, 3)), columns=frame.columns)
        strangers.index = [f"X{number}{i:04d}" for i in range(40)]
        frames[["telco", "payments"][number]] = pd.concat([frame, strangers]).sample(frac=1, random_state=1)
    label = label.mask(rng.random(label.shape) < missing)
    y = (margin + rng.logistic(size=rows) > 0.5).astype(np.float32)
    return label, frames, y


def table_of(label, y=None, weights=None):
    labels = np.zeros(0, np.float32) if y is None else y
    return LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), labels, weights)


def pooled_xgboost(group, y, params, *, fit=None, weights=None):
    """Train xgboost itself on the pooled table, rows in the common order; weights move no cut point here."""
    rows = group.order() if fit is None else group.order()[fit[group.order()]]
    X = group.pooled().to_numpy(np.float32)[rows]
    data = plain = xgboost.QuantileDMatrix(X, y[rows], max_bin=params.max_bin)
    if weights is not None:
        data = xgboost.QuantileDMatrix(X, y[rows], weight=weights[rows], ref=plain, max_bin=params.max_bin)
    offered = {
        name: getattr(params, name)
        for name in ("max_depth", "learning_rate", "gamma", "min_child_weight", "reg_lambda", "reg_alpha")
    }
    offered |= {"objective": params.objective, "scale_pos_weight": params.scale_pos_weight}
    offered |= {"max_delta_step": params.max_delta_step, "tree_method": "hist", "max_bin": params.max_bin}
    return xgboost.train(offered, data, num_boost_round=params.n_estimators)


def federated_json(group, result, model_id="m"):
    parts = {name: ask_part(session, model_id) for name, session in group.sessions().items()}
    return to_xgboost_json(result.part, parts)


def assert_same_trees(federated, booster):
    unexplained = [difference for difference in compare_trees(federated, booster) if not difference.is_tie]
    assert not unexplained, unexplained


@pytest.mark.parametrize("parties", [1, 2])
def test_trees_equal_pooled_xgboost(consortium, private_key, parties):
    """With 5% missing values and customers unknown to a party, every tree is that of pooled xgboost."""
    label, frames, y = population(parties=parties)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=3, max_depth=4, max_bin=16)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    booster = pooled_xgboost(group, y, params)
    assert len(result.part.trees) == 3
    assert_same_trees(federated_json(group, result), booster)


def test_cut_points_of_many_continuous_values_equal_pooled_xgboost(consortium, private_key):
    """Where XGBoost's sketch rounds and so depends on the order of rows, the common order makes it agree."""
    label, frames, y = population(rows=6_000, parties=2, missing=0.0)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=1, max_depth=5, max_bin=16)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    federated = federated_json(group, result)
    assert_same_trees(federated, pooled_xgboost(group, y, params))


def test_weights_penalties_and_imbalance_equal_pooled_xgboost(consortium, private_key):
    """Sample weights, scale_pos_weight, gamma, alpha and max_delta_step act as in xgboost."""
    label, frames, y = population(parties=1)
    group = consortium(label, frames)
    weights = np.random.default_rng(5).uniform(0.2, 3, ROWS).astype(np.float32)
    params = TreeParams(
        n_estimators=2, max_depth=3, max_bin=16, scale_pos_weight=2.5, gamma=0.3, reg_alpha=0.2,
        max_delta_step=0.7, min_child_weight=4.0,
    )  # fmt: skip
    table = table_of(label, y, weights)
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id="m")
    booster = pooled_xgboost(group, y, params, weights=weights)
    assert_same_trees(federated_json(group, result), booster)


def test_squared_error_equals_pooled_xgboost(consortium, private_key):
    """Regression trees, whose gradients are unbounded, are those of xgboost as well."""
    label, frames, _ = population(parties=1)
    y = (label["age"].fillna(0) * 3 + 10).to_numpy(np.float32)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=2, max_depth=3, max_bin=16, objective="reg:squarederror")
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    assert_same_trees(federated_json(group, result), pooled_xgboost(group, y, params))


def test_watched_rows_never_train_and_stop_early(consortium, private_key):
    """Watched rows are in no sum and no cut point; training keeps the trees up to the best one."""
    label, frames, y = population()
    group = consortium(label, frames)
    watch = np.arange(ROWS) % 4 == 0
    y[watch] = 1 - y[watch]  # what helps the fit rows hurts here, so the first tree is the best
    params = TreeParams(
        n_estimators=6, max_depth=3, max_bin=16, early_stopping_rounds=2, eval_metric="logloss"
    )
    result = train(
        group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m", watch=watch
    )
    assert result.part.best_iteration == int(np.argmin(result.history))
    assert len(result.part.trees) == result.part.best_iteration + 1
    assert len(result.history) == min(6, result.part.best_iteration + 3)
    kept = msgspec.structs.replace(params, n_estimators=len(result.part.trees))
    booster = pooled_xgboost(group, y, kept, fit=~watch)
    assert_same_trees(federated_json(group, result), booster)
    for party in group.parties.values():
        owner = result.part.owners.index(party.name) + 1
        assert len(party.parts["m"].splits) == result.part.splits_of(owner)


SAMPLING = {
    "bagging": {"subsample": 0.6, "colsample_bytree": 0.5, "colsample_bylevel": 0.8, "colsample_bynode": 0.8},
    "goss": {"data_sample_strategy": "goss", "top_rate": 0.2, "other_rate": 0.2},
}


@pytest.mark.parametrize("sampling", SAMPLING.values(), ids=SAMPLING)
def test_sampled_rows_and_columns_still_score_alike(consortium, private_key, sampling):
    """With row and column sampling the exported model predicts what the parties score together."""
    label, frames, y = population()
    group = consortium(label, frames)
    params = TreeParams(n_estimators=3, max_depth=3, max_bin=16, **sampling)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    booster = xgboost.Booster(model_file=bytearray(federated_json(group, result)))
    scores = score(group.sessions(), group.alignments, result.part, table_of(label), model_id="m")
    pooled = group.pooled().to_numpy(np.float32)
    np.testing.assert_array_equal(scores, booster.inplace_predict(pooled))


def test_rows_that_are_not_drawn_are_not_sent(consortium, private_key):
    """One-side sampling sends ciphertexts for the drawn rows alone."""
    label, frames, y = population(rows=500, parties=1, known=1.0)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=2, max_depth=1, max_bin=8, **SAMPLING["goss"])
    train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    sent = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
    assert sum(len(body.ciphertexts) for body in sent if isinstance(body, m.Gradients)) == 512 * 2 * 200


def test_new_customers_score_as_pooled_xgboost_to_the_last_bit(consortium, private_key):
    """Scores of customers that never trained, unknown ones included, are those of the merged model."""
    label, frames, y = population(rows=900)
    group = consortium(label.iloc[:600], frames)
    params = TreeParams(n_estimators=3, max_depth=4, max_bin=16)
    table = table_of(label.iloc[:600], y[:600])
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id="m")
    new = label.iloc[600:]
    alignments = group.align(new, "new")
    scores = score(group.sessions(), alignments, result.part, table_of(new), model_id="m")
    booster = xgboost.Booster(model_file=bytearray(federated_json(group, result)))
    np.testing.assert_array_equal(scores, booster.inplace_predict(group.pooled(new).to_numpy(np.float32)))


def test_importances_are_xgboosts(consortium, private_key):
    """Feature importances equal xgboost's mean gain, under the names that their owners show."""
    label, frames, y = population()
    group = consortium(label, frames)
    params = TreeParams(n_estimators=2, max_depth=3, max_bin=16)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    booster = pooled_xgboost(group, y, params)
    gains = booster.get_score(importance_type="gain")
    expected = {name: gains.get(f"f{i}", 0.0) for i, name in enumerate(group.pooled().columns)}
    total = sum(expected.values())
    assert list(result.importances) == list(expected)
    for name, importance in result.importances.items():
        assert importance == pytest.approx(expected[name] / total, rel=1e-4)


def test_a_party_that_hides_names_shows_numbers(consortium, private_key):
    """Column names cross the wire only where their owner shows them."""
    label, frames, y = population(rows=200, parties=1)
    group = consortium(label, frames, show_columns=False)
    params = TreeParams(n_estimators=1, max_depth=2, max_bin=8)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    assert list(result.importances)[3:] == ["telco.0", "telco.1", "telco.2"]


def test_no_label_row_outside_the_intersection_is_encrypted_for_a_party(consortium, private_key):
    """A feature party receives ciphertexts for exactly its aligned rows, whatever the left join adds."""
    label, frames, y = population(rows=300, parties=1)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=1, max_depth=1, max_bin=8)
    train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    sent = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
    ciphertexts = sum(len(body.ciphertexts) for body in sent if isinstance(body, m.Gradients))
    assert ciphertexts == 512 * len(group.alignments["telco"].identifiers)


def test_one_round_trip_a_level(consortium, private_key):
    """Beside its ciphertexts a tree takes one message a level with one feature party, two with more."""
    for parties, most in ((1, 1), (2, 2)):
        label, frames, y = population(parties=parties)
        group = consortium(label, frames)
        params = TreeParams(n_estimators=1, max_depth=4, max_bin=8, min_child_weight=0.0)
        train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
        for party in group.parties.values():
            levels = sum(isinstance(PROTOCOL.decode_request(f).body, m.GrowLevel) for f in party.frames_seen)
            assert levels <= 4 * most


def test_mistakes_before_training_are_told(consortium, private_key):
    """Wrong labels, a table without the aligned customers and unknown alignments each get their own error."""
    label, frames, y = population(rows=100, parties=1)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=1, max_depth=2, max_bin=8)

    def run(table, alignments=group.alignments, **options):
        return train(group.sessions(), alignments, table, params, private_key, model_id="m", **options)

    with pytest.raises(DataError, match="labels 0 and 1"):
        run(table_of(label, y + 1))
    with pytest.raises(NotAligned, match="align"):
        run(table_of(label.iloc[:50], y[:50]))
    with pytest.raises(DataError, match="no row"):
        run(table_of(label, y), watch=np.ones(100, dtype=bool))
    stale = msgspec.structs.replace(group.align(label.iloc[:60], "other")["telco"], id="rows")
    with pytest.raises(PeerRefused, match="ordered rows"):
        run(table_of(label, y), {"telco": stale})
    with pytest.raises(ParameterError):
        TreeParams(n_estimators=0)


def test_a_share_survives_its_file(consortium, private_key):
    """The label party's share read back from JSON scores as before."""
    label, frames, y = population(rows=200, parties=1)
    group = consortium(label, frames)
    params = TreeParams(n_estimators=2, max_depth=2, max_bin=8)
    result = train(group.sessions(), group.alignments, table_of(label, y), params, private_key, model_id="m")
    back: TreesLabelPart = ALGORITHMS.label_part(to_json(result.part))
    assert back == result.part


def test_a_party_without_a_part_in_any_tree_keeps_an_empty_share(consortium, private_key):
    """Where no tree of the job was ever opened at a feature party, training ends as any other."""
    rng = np.random.default_rng(0)
    label = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    label.index = [f"c{row}" for row in range(60)]
    world = consortium(label, {"telco": pd.DataFrame({"x": rng.normal(size=60)}, index=label.index)})
    labels = np.float32(label["a"] > 1.8)
    table = LabelTable(list(label.index), ["a", "b"], label.to_numpy(np.float32), labels)
    params = TreeParams(n_estimators=2, max_depth=2, min_child_weight=50.0)
    result = train(world.sessions(), world.alignments, table, params, private_key, model_id="m")
    assert len(result.part.trees) == 2
    assert world.parties["telco"].parts["m"].splits.feature == []
