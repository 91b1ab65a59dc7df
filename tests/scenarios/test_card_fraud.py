"""Card fraud from end to end: trained, published, served over HTTPS, and held against XGBoost; few rows."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from scenarios.api_comparison import STEPS
from scenarios.card_fraud import CARD_FRAUD
from scenarios.consortium import Consortium
from scenarios.mule_accounts import MULE_ACCOUNTS
from scenarios.run import ApiLoad
from scenarios.scenario import Choice

ROWS = 2_400


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict, Path]:
    """What a short run prints, its JSON, and the directory that it keeps."""
    out = tmp_path_factory.mktemp("card_fraud")
    file = out.parent / f"{out.name}.json"
    short = dataclasses.replace(CARD_FRAUD, load=ApiLoad(singles=40, away_seconds=0.2))
    with contextlib.redirect_stdout(io.StringIO()) as output:
        short.run(Choice(rows=ROWS, trees=3, out=out, file=file))
    return output.getvalue(), json.loads(file.read_text()), out


def test_every_way_of_scoring_gives_the_same_bits(told) -> None:
    """Batch, API and XGBoost on pooled columns agree exactly, on rows unknown to the acquirer too."""
    _, report, _ = told
    assert report["parity_rows"] == report["rows"]["test"] == ROWS // 2
    assert report["rows"]["test_known"] < report["rows"]["test"]
    assert report["parity_max_abs_diff"] == 0
    assert report["disclosure"]["acquirer"]["withheld"] == 0
    assert report["identical_trees"] is True


def test_reasons_are_those_of_xgboost(told) -> None:
    """Contributions of both parties' columns are XGBoost's of the merged model."""
    _, report, _ = told
    assert report["reasons_rows"] > 100
    assert report["reasons_max_abs_diff"] < 1e-5


def test_a_partner_that_stops_costs_no_request(told) -> None:
    """While the acquirer is away answers are partial, none fails, and joint ones come back."""
    _, report, _ = told
    away = report["fallback"]
    assert away["partner"] == "acquirer"
    assert away["server_errors"] == 0
    assert away["joint"] > 0
    assert away["partial"] > 0
    assert away["requests"] == away["joint"] + away["partial"] + away["bank_only"]


def test_json_has_the_promised_keys(told) -> None:
    """The report tells of the API, of decisions, and where the pictures are."""
    output, report, out = told
    assert re.search(r"largest difference: batch, API, XGBoost +0\n", output)
    assert set(report["auc"]) == {"alone", "together", "pooled"}
    assert 0 < report["api_p50_ms"] <= report["api_p99_ms"]
    assert report["api_rows_per_second"] > 0
    assert report["modes"] == {"joint": report["api_rows"] + report["api_requests"]}
    decisions = report["decisions"]
    assert decisions["version"] == 1
    assert decisions["caught"] <= min(decisions["alerts"], decisions["fraud"])
    assert list(report["phases"]) == [step.name for step in STEPS]
    assert (out / report["files"]["report"]).read_text().lstrip().lower().startswith("<!doctype html")
    assert "<svg" in (out / report["files"]["roc"]).read_text()


def test_the_example_can_be_repeated(told) -> None:
    """The report's curl command, typed in the kept directory with the servers up, gets the same score."""
    output, report, out = told
    example = report["example"]
    assert f"$ {example['command']}" in output
    parts = CARD_FRAUD.prepare(out / "again", Choice(rows=200))
    kept = Consortium(out, parts)
    with kept.serving():
        kept.start("bank")
        typed = subprocess.run(shlex.split(example["command"]), cwd=out, capture_output=True, check=True)
    again = json.loads(typed.stdout)
    assert again["results"] == example["answer"]["results"]


def test_mules_have_three_institutions_and_only_the_bank_a_label(tmp_path: Path) -> None:
    """The same steps with two partners: each has a file, and the label is the bank's alone."""
    parts = MULE_ACCOUNTS.prepare(tmp_path, Choice(rows=200, seed=1))
    assert [part.name for part in parts] == list(MULE_ACCOUNTS.institutions)
    assert [part.role for part in parts] == ["label", "feature", "feature"]
    assert all("mule" not in pd.read_csv(part.data) for part in parts[1:])
    assert MULE_ACCOUNTS.steps is CARD_FRAUD.steps
