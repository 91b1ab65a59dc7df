"""A bank and a bureau build a scorecard for real customers, fewer of them."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from scenarios.command import run

DATA = Path(__file__).parents[3] / "shared" / "data" / "credit_default"
pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"{DATA.name}: the data set is not beside the checkout"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The scenario's JSON on one customer in eight."""
    data = tmp_path_factory.mktemp("credit_default")
    shutil.copy(DATA / "bureau_dirty.csv", data)
    for name in ("bank.csv", "bureau.csv"):
        table = pd.read_csv(DATA / name)
        keys = table["customer_id"].str.strip().str.upper()
        table[[zlib.crc32(key.encode()) % 8 == 0 for key in keys]].to_csv(data / name, index=False)
    arguments = ["credit_scorecard", "--data", str(data), "--json", str(data / "report.json")]
    result = CliRunner().invoke(run, arguments)
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(run, [*arguments, "--trees", "2"]).exit_code == 2
    return json.loads((data / "report.json").read_text())


def test_together_equals_pooled_and_beats_the_bank(report) -> None:
    """Plain counts and scikit-learn on one table come to the same scorecard, far better than the bank's."""
    for measure in ("auc", "ks"):
        assert report[measure]["together"] == pytest.approx(report[measure]["pooled"], abs=0.02)
        assert report[measure]["together"] > report[measure]["alone"] + 0.05
    assert report["max_woe_difference"] < 1e-12
    assert report["max_coefficient_difference"] < 1e-3
    assert report["max_score_difference"] < 1e-4
    assert report["max_points_difference"] < 1e-6


def test_each_party_has_points_of_its_own_columns_only(report) -> None:
    """The bank's table has the base points, the bureau's has not; no column is in both."""
    cards, values = report["scorecards"], report["information_values"]
    for party in ("bank", "bureau"):
        kept = {of["column"] for of in values if of["party"] == party and of["kept"]}
        assert {row["column"] for row in cards[party]["rows"]} == kept
    assert cards["bank"]["base_points"] is not None
    assert cards["bureau"]["base_points"] is None
