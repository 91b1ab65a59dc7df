"""Views of a model: xgboost on the merged model, absent partners' columns missing, is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from parties.label.evaluation_data import EvaluationData, score_views
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.paillier import PrivateKey
from vfl.errors import DataError
from vfl.scoring.label_party import ask_all

ROWS = 200
CUSTOMERS = [f"C{i:03d}" for i in range(ROWS)]


@pytest.fixture(scope="module")
def trained(consortium: Any, private_key: PrivateKey) -> Any:
    """A bank and two partners who trained a model, and the bank's own one beside it."""
    rng = np.random.default_rng(3)
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=CUSTOMERS, columns=["age", "balance"])
    telco = pd.DataFrame(rng.normal(size=(ROWS, 1)), index=CUSTOMERS, columns=["calls"])
    shop = pd.DataFrame(rng.normal(size=(ROWS, 1)), index=CUSTOMERS, columns=["spend"])[30:]
    y = label["age"] + telco["calls"] + shop["spend"].reindex(CUSTOMERS).fillna(0) > 0.5
    group = consortium(label, {"telco": telco, "shop": shop})
    table = LabelTable(CUSTOMERS, list(label.columns), label.to_numpy(np.float32), y.to_numpy(np.float32))
    params = TreeParams(n_estimators=3, max_depth=3, max_bin=8)
    joint = train(group.sessions(), group.alignments, table, params, private_key, model_id="m").part
    alone = train({}, {}, table, params, private_key, model_id="m").part
    return group, table, joint, alone


def views(trained: Any, **more: Any) -> EvaluationData:
    group, table, joint, alone = trained
    directions = ask_all(group.sessions(), group.alignments, joint, model_id="m")
    facts = {"label_party": "bank", "model": "m", "rows_are": "source", "counted": np.ones(ROWS, bool)}
    return score_views(table, joint, alone, directions, group.alignments, **(facts | more))


def test_each_view_is_xgboosts_with_the_absent_columns_missing(trained: Any) -> None:
    """With one partner means the joint model without what the others know, bit for bit."""
    group, _, joint, alone = trained
    found = views(trained)
    assert found.partners == {
        "bank alone": [],
        "+ telco": ["telco"],
        "+ shop": ["shop"],
        "together": ["telco", "shop"],
    }
    parts = {name: group.parties[name].parts["m"] for name in joint.owners}
    merged = xgboost.Booster(model_file=bytearray(to_xgboost_json(joint, parts)))
    for name, partners in list(found.partners.items())[1:]:
        table = group.pooled()
        for column in table.columns:
            if "." in column and column.partition(".")[0] not in partners:
                table[column] = np.nan
        expected = merged.inplace_predict(table.to_numpy(np.float32), validate_features=False)
        np.testing.assert_array_equal(found.scores[name], expected)
    own = xgboost.Booster(model_file=bytearray(to_xgboost_json(alone, {})))
    expected = own.inplace_predict(group.label.to_numpy(np.float32), validate_features=False)
    np.testing.assert_array_equal(found.scores["bank alone"], expected)


def test_a_view_costs_no_message(trained: Any) -> None:
    """However many views, each partner is asked what one scoring of all rows asks."""
    group, _, joint, _ = trained
    for party in group.parties.values():
        party.frames_seen.clear()
    ask_all(group.sessions(), group.alignments, joint, model_id="m")
    once = [len(party.frames_seen) for party in group.parties.values()]
    views(trained)
    assert [len(party.frames_seen) for party in group.parties.values()] == [2 * count for count in once]


def test_only_the_rows_that_count_are_kept(trained: Any) -> None:
    """Scores, labels and columns of the rows that count, in their order."""
    table = trained[1]
    counted = np.arange(ROWS) % 3 == 0
    few, every = views(trained, counted=counted), views(trained)
    np.testing.assert_array_equal(few.together, every.together[counted])
    np.testing.assert_array_equal(few.labels, table.labels[counted])
    np.testing.assert_array_equal(few.columns, table.columns[counted])


def test_labels_must_be_0_and_1(trained: Any) -> None:
    """Amounts cannot be ranked as fraud or not."""
    group, table, joint, alone = trained
    wrong = LabelTable(CUSTOMERS, table.names, table.columns, table.labels * 2)
    with pytest.raises(DataError, match="labels 0 and 1"):
        views((group, wrong, joint, alone))
