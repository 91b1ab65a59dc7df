"""The demo from end to end: real processes, certificates, 2048-bit keys, few rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_generators.fraud import FRAUD
from parties.commands.cli import main
from scenarios.command import demo
from scenarios.demo import DEMO
from scenarios.scenario import Choice


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict, Path]:
    """What a short demo prints, its JSON, and the directory that it keeps."""
    out = tmp_path_factory.mktemp("demo")
    file = out.parent / f"{out.name}.json"
    result = CliRunner().invoke(
        demo, ["--rows", "400", "--trees", "2", "--out", str(out), "--json", str(file)]
    )
    assert result.exit_code == 0, result.output
    return result.output, json.loads(file.read_text()), out


def test_trees_and_measures_are_those_of_pooled_xgboost(told) -> None:
    """Together equals pooled: the same trees up to ties, so the same ranking of unseen customers."""
    _, report, _ = told
    assert report["identical_trees"] is True
    assert report["auc"]["together"] == pytest.approx(report["auc"]["pooled"], abs=0.02)
    if not report["differences"]:
        assert report["auc"]["together"] == pytest.approx(report["auc"]["pooled"], abs=1e-9)


def test_json_has_the_promised_keys(told) -> None:
    """The report holds what was measured of every party and of the run."""
    _, report, _ = told
    assert set(report["auc"]) == {"alone", "together", "pooled"}
    assert set(report["peak_rss_mb"]) == {"bank", "telco", "payments"}
    assert set(report["partners"]) == {"telco", "payments"}
    assert report["bytes_sent"] == sum(part["bytes_sent"] for part in report["partners"].values()) > 500_000
    assert report["bytes_received"] > 10_000
    assert report["key_bits"] == 2048
    assert report["kernel"]
    assert report["train_seconds"] > 0
    assert list(report["phases"]) == ["set up", "align", "train", "score", "export", "audit", "judge"]


def test_every_ledger_is_verified_and_a_changed_byte_is_named(told, tmp_path: Path) -> None:
    """The demo's own ledgers are whole against what the others keep; after one byte they are not."""
    output, report, out = told
    assert "vfl audit verify bank --against telco-for-bank.json --against payments-for-bank.json" in output
    assert set(report["ledgers"]) == {"bank", "telco", "payments"}
    assert all(ledger["signed"] > 0 and ledger["unsigned"] == [] for ledger in report["ledgers"].values())
    assert report["ledgers"]["bank"]["signed"] == sum(
        report["ledgers"][name]["signed"] for name in ("telco", "payments")
    )
    copy = tmp_path / "telco"
    shutil.copytree(out / "telco", copy)
    with sqlite3.connect(copy / "state" / "party.sqlite") as connection:
        connection.execute("UPDATE ledger_entries SET reply_bytes = reply_bytes + 1 WHERE entry = 7")
    found = CliRunner().invoke(main, ["audit", "verify", str(copy)])
    assert found.exit_code == 1
    assert "entry 7 was changed" in found.output


def test_every_phase_and_the_next_commands_are_told(told) -> None:
    """A reader sees what is happening, the verdict, and how to go on."""
    output, _, out = told
    for text in ("$ vfl align bank", "$ vfl train bank", "$ vfl score bank", "identical to pooled xgboost"):
        assert text in output
    assert f"cd {out}" in output
    assert "vfl party serve telco &" in output


def test_what_is_kept_can_be_gone_on_with(told) -> None:
    """--out keeps a directory for each party, the scores of all test rows, and the picture."""
    _, report, out = told
    assert all((out / name / "party.toml").exists() for name in FRAUD.schema.keys)
    assert "<svg" in (out / "roc.svg").read_text()
    scores = pd.read_csv(out / "scores.csv")
    assert len(scores) == report["rows"]["test"] == 400
    assert scores["score"].between(0, 1).all()


def test_no_partner_holds_the_label(tmp_path: Path) -> None:
    """Only the bank's files have the fraud column."""
    parts = DEMO.prepare(tmp_path, Choice(rows=200, seed=1))
    assert [part.role for part in parts] == ["label", "feature", "feature"]
    assert "fraud" in pd.read_csv(tmp_path / "bank.csv")
    assert all("fraud" not in pd.read_csv(part.data) for part in parts[1:])


def test_help_has_an_example() -> None:
    """``vfl demo --help`` shows a command to type."""
    result = CliRunner().invoke(demo, ["--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert "vfl demo --out demo-run" in result.output


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    """--out is a new directory, so that nothing of the user's is touched."""
    (tmp_path / "precious.txt").write_text("keep me")
    result = CliRunner().invoke(demo, ["--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "choose a new directory" in result.output
