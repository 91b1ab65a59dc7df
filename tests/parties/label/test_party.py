"""A label party at work over real HTTPS: from its configuration to a model that XGBoost agrees with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import xgboost

from parties.config import Config
from parties.label.party import LabelParty
from parties.storage.model_store import ModelStore
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.predictor import TreesPredictor
from vfl.errors import ConfigError, DataError, NotAligned, ParameterError, PeerRefused, StateError
from vfl.estimators.linear import FederatedLogisticRegression
from vfl.estimators.trees import FederatedXGBClassifier

PARAMS = TreeParams(n_estimators=2, max_depth=2, max_bin=8)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFL_PASSWORD", "test")


@pytest.fixture
def label(bank: Config, bureau: Config, serve: Callable[[Config], str], join: Any) -> Iterator[LabelParty]:
    """The bank, connected to a served bureau."""
    with LabelParty(join(bank, bureau, serve(bureau))) as party:
        yield party


def pooled(bank: Config, bureau: Config) -> pd.DataFrame:
    """Both parties' rows on one desk, where nobody has them."""
    own, theirs = (pd.read_csv(party.data.source) for party in (bank, bureau))
    return own.merge(theirs, on="customer_id", how="left")


def test_estimators_work_under_contracts_as_commands_do(label: LabelParty, bank: Config) -> None:
    """From Python as from the command line: what is fitted and predicted is agreed on first."""
    label.align(name="a1")
    X, y = label.labelled_rows()
    trees = FederatedXGBClassifier(label.federation("a1"), n_estimators=2, max_depth=2, model_id="e1")
    trees.fit(X, y)
    label.train(name="m1", params=TreeParams(n_estimators=2, max_depth=2))
    expected = label.score("m1", bank.data.source)
    np.testing.assert_array_equal(trees.predict_proba(X)[:, 1], expected.scores)
    again = FederatedXGBClassifier(label.federation("a1"), n_estimators=2, max_depth=2, model_id="e1")
    with pytest.raises(PeerRefused, match="model e1 exists already"):
        again.fit(X, y)
    linear = FederatedLogisticRegression(label.federation("a1")).fit(X, y)
    assert linear.predict_proba(X).shape == (200, 2)


def test_scores_are_those_of_xgboost_on_pooled_columns(
    label: LabelParty, bank: Config, bureau: Config
) -> None:
    """Align, train, export, score: the merged model in XGBoost gives each score bit for bit."""
    aligned = label.align(name="a1")
    assert (aligned.rows, aligned.common) == (200, {"bureau": 150})
    model = label.train(name="m1", params=PARAMS)
    assert (model.alignment, model.facts["trees"], model.rows) == ("a1", 2, 200)
    assert sum(model.facts["importances"].values()) == pytest.approx(1)
    scores = label.score("m1", bank.data.source)
    booster = xgboost.Booster(model_file=bytearray(label.export("m1")))
    table = pooled(bank, bureau)
    columns = table[["age", "balance", "delays"]].to_numpy(np.float32)
    expected = booster.inplace_predict(columns, validate_features=False)
    np.testing.assert_array_equal(scores.scores, expected)
    assert scores.keys["customer_id"] == table["customer_id"].tolist()
    assert scores.left_out == 0


def test_validation_rows_are_watched_and_judged(label: LabelParty, bank: Config) -> None:
    """Rows kept out of training give the history, and are what is judged by default."""
    label.align()
    model = label.train(name="m1", params=PARAMS, validation_fraction=0.3)
    assert (model.rows + model.validation_rows, len(model.history), model.metric) == (200, 2, "logloss")
    judged = label.evaluation_data("m1")
    assert (judged.rows_are, len(judged.labels)) == ("validation", model.validation_rows)
    everything = label.evaluation_data("m1", source=bank.data.source, amount="age", day="age")
    assert (everything.rows_are, len(everything.labels)) == ("source", 200)
    assert list(everything.scores) == ["bank alone", "together"]
    np.testing.assert_array_equal(everything.together, label.score("m1", bank.data.source).scores)
    assert everything.amounts.tolist() == everything.days.tolist() == [n % 7 for n in range(200)]


def test_an_inner_alignment_trains_on_common_customers(label: LabelParty) -> None:
    """In mode inner only the customers that the peer knows take part."""
    label.align(mode="inner")
    assert label.train(name="m1", params=PARAMS).rows == 150


def test_what_is_not_there_or_not_new_is_told(label: LabelParty, tmp_path: Path) -> None:
    """Unknown, taken and ill-formed names and a source without the model's columns are told."""
    with pytest.raises(StateError, match="not aligned yet"):
        label.train(params=PARAMS)
    with pytest.raises(ParameterError, match="use up to 64 letters"):
        label.align(name="../a")
    label.align(name="a1")
    with pytest.raises(StateError, match="alignment a1 exists already"):
        label.align(name="a1")
    with pytest.raises(StateError, match="train one with"):
        label.score("none", "x.csv")
    label.train(name="m1", params=PARAMS)
    with pytest.raises(StateError, match="known are m1"):
        label.evaluation_data("m2")
    (tmp_path / "new.csv").write_text("customer_id,wage\nC001,3\n")
    with pytest.raises(DataError, match="age: included, but no such column"):
        label.score("m1", str(tmp_path / "new.csv"))


def test_data_that_changed_since_it_was_aligned_is_noticed(label: LabelParty, bank: Config) -> None:
    """A customer more or less than were aligned is told before anything is sent."""
    label.align()
    with Path(bank.data.source).open("a") as file:
        file.write("C999,1,0\n")
    with pytest.raises(NotAligned, match="the data has changed since alignment"):
        label.train(params=PARAMS)


def test_a_part_stays_where_it_is_without_consent(
    bank: Config, make_party: Any, grant: Any, serve: Any, join: Any
) -> None:
    """A feature party that does not allow export keeps its part; training and scoring work all the same."""
    bureau = grant(make_party("bureau", "feature"), bank, allow=["align", "train", "score"])
    with LabelParty(join(bank, bureau, serve(bureau))) as label:
        label.align()
        label.train(name="m1", params=PARAMS)
        assert len(label.score("m1", bank.data.source).scores) == 200
        with pytest.raises(PeerRefused, match="does not allow you to export"):
            label.export("m1")


def test_the_role_must_fit(bureau: Config, bank: Config) -> None:
    """A feature party cannot drive a job, and a label party needs a peer."""
    with pytest.raises(ConfigError, match="bureau is a feature party"):
        LabelParty(bureau)
    with pytest.raises(ConfigError, match="add-peer"):
        LabelParty(msgspec.structs.replace(bank, peers={}))


def test_the_same_customers_are_aligned_once(label: LabelParty, bank: Config, tmp_path: Path) -> None:
    """Scoring a file again asks for no second alignment; one made since is the one that counts."""
    label.align()
    label.train(name="m1", params=PARAMS)
    other = tmp_path / "other.csv"
    other.write_text("customer_id,age\nC060,3\nC001,2\n")
    first = label.score("m1", str(other))
    made = label.population("m1", str(other)).record.alignment
    np.testing.assert_array_equal(label.score("m1", str(other)).scores, first.scores)
    assert label.population("m1", str(other)).record.alignment == made
    newer = label.align(source=str(other)).alignment
    assert label.population("m1", str(other)).record.alignment == newer


def test_the_banks_own_model_is_xgboost_on_its_columns(label: LabelParty, bank: Config) -> None:
    """Trained beside the joint one on the same rows: XGBoost on the bank's columns grows the same trees."""
    label.align()
    label.train(name="m1", params=PARAMS)
    table = pd.read_csv(bank.data.source)
    columns, labels = table[["age"]].to_numpy(np.float32), table["default"].to_numpy(np.float32)
    judge = xgboost.XGBClassifier(n_estimators=2, max_depth=2, max_bin=8).fit(columns, labels)
    alone = TreesPredictor(ModelStore(bank).load_bank_only("m1"))
    np.testing.assert_allclose(
        alone.predict(columns, [], []), judge.predict_proba(columns)[:, 1], rtol=0, atol=1e-6
    )
