"""``vfl plan``: a prediction for people and for programs, without a message to anybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, ["plan", *map(str, arguments)])


def test_a_plan_is_printed_for_people(run: Any, bank: Config) -> None:
    """Time, traffic and memory of both sides, in units that are read, without a word about progress."""
    shown = run(bank.directory, "--partner-columns", 5, "--partner-columns", 7, "--trees", 3)
    assert shown.exit_code == 0, shown.output
    for text in ("200 rows, 3 trees", "a tree", "partner 2", "7 columns", "bytes a row", "label party"):
        assert text in shown.output
    assert " MB of memory" in shown.output


def test_a_plan_is_printed_for_programs(run: Any, bank: Config) -> None:
    """--json gives the job, the machine that was timed, and the prediction."""
    given = ["--rows", 50_000, "--columns", 4, "--partner-columns", 8, "--bins", 32, "--depth", 5]
    shown = run(bank.directory, *given, "--trees", 10, "--key-bits", 3072, "--profile", "full", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.output)
    assert (told["work"]["rows"], told["work"]["key_bits"], told["work"]["profile"]) == (50_000, 3072, "full")
    assert told["work"]["partners"][0]["bins"] == 8 * 32
    assert told["plan"]["traffic"][0]["to_partner"] == pytest.approx(10 * 50_000 * 768, rel=0.01)
    assert told["plan"]["seconds"] > 10 * told["plan"]["steps"]["encrypt"]


def test_partners_columns_must_be_named(run: Any, bank: Config) -> None:
    """A label party is told which option says what its partners have."""
    shown = run(bank.directory)
    assert shown.exit_code == 1
    assert "--partner-columns" in shown.output
