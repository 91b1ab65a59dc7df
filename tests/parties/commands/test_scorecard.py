"""``vfl bin`` and ``vfl scorecard``: what cannot be is refused at once."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config


def test_a_scorecard_is_of_a_model_that_is_there(bank: Config, bureau: Config) -> None:
    """At either party, in its own words."""
    result = CliRunner().invoke(main, ["scorecard", str(bank.directory), "m1"])
    assert "model m1 is not here" in result.output
    result = CliRunner().invoke(main, ["scorecard", str(bureau.directory), "m1"])
    assert "this party has no part of a linear model m1" in result.output


def test_bins_have_known_parameters_and_aligned_rows(bank: Config, bureau: Config, join: Any) -> None:
    """A parameter that is none is named; without an alignment there is nothing to count on."""
    directory = str(join(bank, bureau, "https://127.0.0.1:9").directory)
    result = CliRunner().invoke(main, ["bin", directory, "--param", "max_bin=3"])
    assert "max_bin: unknown parameter; did you mean max_bins?" in result.output
    assert "run `vfl align` first" in CliRunner().invoke(main, ["bin", directory]).output
