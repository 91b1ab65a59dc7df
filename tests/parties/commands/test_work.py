"""``vfl train``, ``score`` and ``export``: what cannot be is refused before a message is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config


@pytest.fixture
def directory(bank: Config, bureau: Config, join: Any) -> Path:
    """A bank whose peer is not there."""
    path: Path = join(bank, bureau, "https://127.0.0.1:9").directory
    return path


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["train", "{bank}", "--resume", "m1", "--param", "max_depth=3"], "--resume continues with"),
        (["train", "{bank}", "--resume", "m1"], "no training of m1 was broken off"),
        (["train", "{bank}"], "run `vfl align` first"),
        (["train", "{bank}", "--algorithm", "linear", "--param", "max_iter=x"], "max_iter"),
        (
            ["score", "{bank}", "m1", "--in", "{bank}/party.toml", "--out", "scores.csv"],
            "model m1 is not here",
        ),
        (["export", "{bank}", "m1", "--xgboost", "m1.json"], "model m1 is not here"),
    ],
)
def test_what_cannot_be_is_refused_at_once(directory: Path, arguments: list[str], error: str) -> None:
    """In one plain message with exit code 1."""
    result = CliRunner().invoke(main, [argument.format(bank=directory) for argument in arguments])
    assert result.exit_code == 1
    assert error in result.output
    assert "Traceback" not in result.output


def test_a_feature_party_trains_nothing(bureau: Config) -> None:
    """The error says who runs the command."""
    result = CliRunner().invoke(main, ["train", str(bureau.directory)])
    assert "bureau is a feature party; the label party runs this command" in result.output
