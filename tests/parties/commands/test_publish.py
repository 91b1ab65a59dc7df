"""``vfl publish`` and ``vfl withdraw``, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config
from parties.label.party import LabelParty
from vfl.algorithms.trees.params import TreeParams


@pytest.fixture
def trained(
    bank: Config, bureau: Config, serve: Callable[[Config], str], join: Any, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The directory of a bank that has trained a model m1 with a bureau that serves."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    joined = join(bank, bureau, serve(bureau))
    with LabelParty(joined) as label:
        label.align()
        label.train(name="m1", params=TreeParams(n_estimators=2, max_depth=2, max_bin=8))
    return str(joined.directory)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output if code else result.stdout


def test_a_model_is_published_and_withdrawn(trained: str) -> None:
    """What was decided and compared is told; the model can go and come again."""
    told = run("publish", trained, "m1", "--threshold", "fpr=0.2", "--fallback", "bank_only")
    assert "publication 1 of model m1: 200 customers" in told
    assert "200 customers score alike in batch, online and in XGBoost, bit for bit" in told
    assert run("withdraw", trained, "m1") == "model m1 is withdrawn\n"
    again = json.loads(run("publish", trained, "m1", "--json"))
    assert (again["number"], again["threshold"]["rule"], again["fallback"]) == (3, "fpr=0.01", "partial")


def test_mistakes_are_told_before_any_work(trained: str) -> None:
    """A rule that is none, a model that is not there, a withdrawal of nothing."""
    assert "write fpr=RATE" in run("publish", trained, "m1", "--threshold", "best", code=1)
    assert "known are m1" in run("publish", trained, "m2", code=1)
    assert "not published" in run("withdraw", trained, "m1", code=1)
