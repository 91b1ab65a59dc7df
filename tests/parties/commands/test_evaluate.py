"""``vfl evaluate`` over real HTTPS: the table, its JSON and its page."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config
from parties.label.party import LabelParty
from vfl.algorithms.trees.params import TreeParams

Run = Callable[..., Result]


@pytest.fixture
def trained(bank: Config, bureau: Config, serve: Any, join: Any, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A bank that has trained model m1 with the bureau."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    config: Config = join(bank, bureau, serve(bureau))
    with LabelParty(config) as party:
        party.align()
        party.train(name="m1", params=TreeParams(n_estimators=2, max_depth=2, max_bin=8))
    return config


@pytest.fixture
def run(trained: Config) -> Run:
    """Calls ``vfl evaluate`` on that model."""

    def call(*options: object) -> Result:
        return CliRunner().invoke(main, ["evaluate", str(trained.directory), "m1", *map(str, options)])

    return call


def test_the_table_its_json_and_its_page_tell_the_same(run: Run, trained: Config, tmp_path: Path) -> None:
    """A labelled file with amounts and days, judged three ways."""
    frame = pd.read_csv(trained.data.source)
    frame["cost"], frame["when"] = range(200), [f"2024-05-{1 + n % 4:02d}" for n in range(200)]
    frame.to_csv(tmp_path / "labelled.csv", index=False)
    page = tmp_path / "page.html"
    options = [
        "--in", tmp_path / "labelled.csv", "--amount", "cost", "--day", "when",
        "--alerts-per-day", 5, "--cost-of-alert", 2,
    ]  # fmt: skip
    shown = run(*options, "--html", page)
    assert shown.exit_code == 0, shown.output
    told = json.loads(run(*options, "--json").stdout)
    assert (told["rows_are"], told["rows"], told["days"]) == ("source", 200, 4)
    assert told["alert_terms"] == {"alerts_per_day": 5, "cost_of_alert": 2.0}
    assert [view["name"] for view in told["views"]] == ["bank alone", "together"]
    saved = f"{told['views'][1]['measures']['money_saved']:,.0f}"
    line = next(
        line for line in shown.output.splitlines() if line.startswith("money saved at 5 alerts a day")
    )
    assert line.split()[-1] == saved
    text = page.read_text()
    assert f"<td>{saved}</td>" in text
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert str(tmp_path) not in text
    assert set(re.findall(r"\bc\d{3}\b", text)) & set(frame["customer_id"].str.strip()) == set()


def test_without_a_file_the_rows_of_training_are_judged(run: Run) -> None:
    """And they are told as such."""
    shown = run()
    assert "those of training" in shown.output
    assert "bank alone" in shown.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--html", "page.pdf"], "ends in .html"),
        (["--day", "when"], "when: there is no such column; correct data.day"),
        (["--amount", "cost"], "cost: there is no such column"),
        (["--alerts-per-day", "0"], "0 is not in the range"),
    ],
)
def test_a_mistake_is_told_before_a_message_is_sent(run: Run, options: list[str], told: str) -> None:
    """Each wrong option has its own plain answer."""
    shown = run(*options)
    assert shown.exit_code != 0
    assert told in shown.output
