"""Binning, linear models and scorecards over real HTTPS: from configurations to tables of points."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from parties.commands.cli import main
from parties.config import Config
from parties.data.rows import Source
from parties.label.party import LabelParty
from parties.label.scorecard import scorecard
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from vfl.algorithms.registry import ALGORITHMS
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.points import Scale
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError, PeerRefused, StateError
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart
from vfl.linear_model.predictor import partial_scores

ROWS = 400
WOE = LinearParams(standardise=False, tol=1e-7)
BINS = BinningParams(max_bins=3, min_iv=0.0)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFL_PASSWORD", "test")


@pytest.fixture
def tables(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A bank's and a bureau's table; the bureau does not know every fourth customer."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(ROWS, 6)).astype(np.float32)
    values[:, 3] += values[:, 0]
    customers = [f"C{n:03d}" for n in range(ROWS)]
    frame = pd.DataFrame(values, columns=["age", "debt", "income", "x", "y", "z"])
    frame.insert(0, "customer_id", customers)
    frame["default"] = (values.sum(axis=1) + rng.normal(size=ROWS) * 2 > 0).astype(int)
    own, theirs = frame[["customer_id", "age", "debt", "default"]], frame[["customer_id", "x", "y", "z"]]
    theirs = theirs[np.arange(ROWS) % 4 != 0]
    own.to_csv(tmp_path / "own.csv", index=False)
    theirs.to_csv(tmp_path / "theirs.csv", index=False)
    return own, theirs


@pytest.fixture
def bureau(tables: Any, tmp_path: Path, make_party: Any, bank: Config, grant: Any) -> Config:
    made = make_party("bureau", "feature", source=str(tmp_path / "theirs.csv"))
    limits = {"min_bin_rows": 20, "max_directions": 3, "max_rounds": 40}
    config: Config = grant(made, bank, limits=limits)
    return config


@pytest.fixture
def bank(tables: Any, tmp_path: Path, make_party: Any) -> Config:
    config: Config = make_party("bank", "label", source=str(tmp_path / "own.csv"))
    return config


@pytest.fixture
def label(bank: Config, bureau: Config, serve: Callable[[Config], str], join: Any) -> Iterator[LabelParty]:
    """The bank, connected to a served bureau, with an alignment."""
    with LabelParty(join(bank, bureau, serve(bureau))) as party:
        party.align()
        yield party


def judge(columns: list[np.ndarray[Any, Any]], labels: pd.Series) -> np.ndarray[Any, Any]:
    fitted = LogisticRegression(tol=1e-10, max_iter=1000).fit(np.column_stack(columns).astype(float), labels)
    found: np.ndarray[Any, Any] = fitted.coef_[0]
    return found


def test_a_linear_model_is_scikit_learns_on_pooled_columns(
    label: LabelParty, bank: Config, bureau: Config, tables: Any
) -> None:
    """Coefficients at both parties, on record and in the bank's own model, equal scikit-learn's."""
    own, theirs = tables
    record = label.train(name="m1", params=LinearParams(tol=1e-7))
    assert (record.algorithm, record.binning, record.rows) == ("linear", None, ROWS)
    assert record.facts["converged"]
    assert record.facts["directions"]["bureau"] <= 3
    ours = StandardScaler().fit_transform(own[["age", "debt"]].astype(float))
    scaled = pd.DataFrame(
        StandardScaler().fit_transform(theirs[["x", "y", "z"]].astype(float)), theirs["customer_id"]
    )
    pooled = scaled.reindex(own["customer_id"]).fillna(0).to_numpy()
    expected = judge([ours, pooled], own["default"])
    part = PeerStore(bureau, "bank", Source(bureau)).load_part("m1")
    assert isinstance(part, LinearFeaturePart)
    found = [*record.facts["coefficients"].values(), *part.terms.coefficients]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    alone = ModelStore(bank).load_bank_only("m1")
    assert isinstance(alone, LinearLabelPart)
    np.testing.assert_allclose(alone.terms.coefficients, judge([ours], own["default"]), atol=1e-5)


def test_a_scorecard_is_points_of_each_partys_own_bins(
    label: LabelParty, bank: Config, bureau: Config, tables: Any
) -> None:
    """Bin, train and print: base points and the points of a customer's bins are the model's log odds."""
    own, theirs = tables
    record, binning = label.bin(name="b1", params=BINS)
    assert record.rows == ROWS
    assert {of.owner for of in binning.tables} == {"", "bureau"}
    trained = label.train(name="m1", params=WOE, binning="b1")
    assert trained.binning == "b1"
    cards = [scorecard(config, "m1", Scale()) for config in (bank, bureau)]
    assert cards[1].base_points is None
    assert {row.column for row in cards[0].rows} <= {"age", "debt"}
    assert {row.column for row in cards[1].rows} <= {"x", "y", "z"}
    _, part = ModelStore(bank).load_model("m1")
    assert isinstance(part, LinearLabelPart)
    other = PeerStore(bureau, "bank", Source(bureau)).load_part("m1")
    assert isinstance(other, LinearFeaturePart)
    assert other.binning is not None
    known = own["customer_id"].isin(theirs["customer_id"]).to_numpy()
    block = partial_scores(other, theirs[["x", "y", "z"]].to_numpy(np.float32), other.features)
    raw = own[part.columns].to_numpy(np.float32)
    margins = ALGORITHMS.predictor(part).batch_margins(raw, [block], [np.flatnonzero(known)])
    probability = 1 / (1 + np.exp(-margins))
    score = cards[0].base_points + points(cards[0].rows, own)
    score = score + np.where(known, 0, cards[0].unknown["bureau"])
    score[known] += points(cards[1].rows, theirs)
    np.testing.assert_allclose(Scale().event_probability(score), probability, rtol=1e-9)


def points(rows: list[Any], table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """What a table's rows are given, by looking their values up in the printed bounds."""
    total = np.zeros(len(table))
    for row in rows:
        if row.kind == "values":
            values = table[row.column].astype(np.float32)
            inside = (row.low is None or values >= row.low) & (row.high is None or values < row.high)
            total += np.where(inside, row.points, 0)
    return total


def test_validation_rows_are_in_no_bin_and_no_sum(label: LabelParty) -> None:
    """The binning and the model keep out the same rows; what does not match is told before any message."""
    record, _ = label.bin(name="b1", params=BINS, validation_fraction=0.25)
    trained = label.train(name="m1", params=WOE, binning="b1", validation_fraction=0.25)
    assert record.rows == trained.rows == ROWS - trained.validation_rows
    assert trained.validation_rows > 0
    with pytest.raises(ParameterError, match=r"left out 0\.25"):
        label.train(name="m2", params=WOE, binning="b1")
    with pytest.raises(ParameterError, match="trees bin columns for themselves"):
        label.train(name="m2", params=TreeParams(), binning="b1", validation_fraction=0.25)
    with pytest.raises(StateError, match="vfl bin"):
        label.train(name="m2", params=WOE, binning="b2")
    with pytest.raises(StateError, match="binning b1 exists already"):
        label.bin(name="b1")


def test_limits_of_the_owner_hold(label: LabelParty, bank: Config, bureau: Config) -> None:
    """More rounds than granted are refused, and no more directions are offered than granted."""
    with pytest.raises(PeerRefused, match="rounds=41 asked; this party allows you at most 40"):
        label.train(params=LinearParams(max_iter=41))
    with pytest.raises(StateError, match="no part of a"):
        scorecard(bureau, "m9", Scale())
    label.train(name="m1", params=LinearParams())
    with pytest.raises(StateError, match="not on weights of evidence"):
        scorecard(bureau, "m1", Scale())
    label.train(name="t1", params=TreeParams(n_estimators=1, max_depth=1))
    with pytest.raises(StateError, match="no logistic model"):
        scorecard(bank, "t1", Scale())


def test_few_rows_and_names_taken_are_refused(
    bank: Config, bureau: Config, serve: Callable[[Config], str], join: Any
) -> None:
    """A feature party counts no fewer rows than it allows, and keeps what it has under a name."""
    grant = bureau.peers["bank"]
    limits = msgspec.structs.replace(grant.limits, min_rows=301)
    strict = msgspec.structs.replace(bureau, peers={"bank": msgspec.structs.replace(grant, limits=limits)})
    with LabelParty(join(bank, bureau, serve(strict))) as label:
        label.align()
        for ask in (label.bin, lambda: label.train(params=LinearParams())):
            with pytest.raises(PeerRefused, match="300 rows; this party asks for at least 301"):
                ask()


def test_the_commands_bin_train_and_print_points(label: LabelParty, bank: Config, bureau: Config) -> None:
    """By hand: ``vfl bin``, ``vfl train --algorithm linear`` and ``vfl scorecard`` at either party."""

    def vfl(*arguments: object, status: int = 0) -> str:
        result = CliRunner().invoke(main, [*map(str, arguments)])
        assert result.exit_code == status, result.output
        return result.stdout

    home = bank.directory
    printed = vfl("bin", home, "--name", "b1", "--param", "max_bins=3", "--param", "min_iv=0")
    assert "bureau.0" in printed  # its columns have no names here
    assert "400 rows counted" in printed
    values = json.loads(vfl("bin", home, "--name", "b2", "--json"))["information_values"]
    assert set(values) == {"bank.age", "bank.debt", "bureau.0", "bureau.1", "bureau.2"}
    vfl("bin", home, "--param", "max_bins=x", status=1)
    linear = ("--algorithm", "linear", "--binning", "b1")
    told = vfl("train", home, "--model", "m1", *linear, "--param", "C=0.5", "--param", "loss=logistic")
    assert "converged" in told
    assert "(intercept)" in told
    vfl("train", home, *linear, "--param", "C=-1", status=1)
    own, theirs = vfl("scorecard", home, "m1"), vfl("scorecard", bureau.directory, "m1")
    assert "base points" in own
    assert "age" in own
    assert "base points" not in theirs
    assert not {"age", "debt"} & set(theirs.split())
    doubled = json.loads(vfl("scorecard", bureau.directory, "m1", "--pdo", "40", "--json"))["rows"]
    plain = json.loads(vfl("scorecard", bureau.directory, "m1", "--json"))["rows"]
    assert [row["points"] for row in doubled] == pytest.approx([2 * row["points"] for row in plain])
