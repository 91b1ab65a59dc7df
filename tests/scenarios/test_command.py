"""The commands that list and run scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from scenarios.command import SCENARIOS, demo, scenario


def test_every_scenario_is_listed_with_what_it_takes() -> None:
    """A line for each: its name, who takes part, how long it takes, what it is about."""
    result = CliRunner().invoke(scenario, ["list"])
    assert result.exit_code == 0
    told = {line.split("  ")[0]: line for line in result.output.splitlines()}
    assert {"demo", "card_fraud", "mule_accounts", "credit_default"} <= set(told)
    for name, listed in SCENARIOS.items():
        assert all(text in told[name] for text in (*listed.institutions, listed.duration, listed.line))


def test_help_of_run_has_every_name_and_an_example() -> None:
    """``vfl scenario run --help`` shows what can be run, and a command to type."""
    result = CliRunner().invoke(scenario, ["run", "--help"])
    assert result.exit_code == 0
    unbroken = "".join(result.output.split())
    assert all(name in unbroken for name in SCENARIOS)
    assert "vfl scenario run card_fraud --out" in result.output


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """A name that is not there ends with those that are."""
    result = CliRunner().invoke(scenario, ["run", "bank_heist"])
    assert result.exit_code == 2
    assert all(name in result.output for name in SCENARIOS)


def test_data_is_for_scenarios_on_real_data(tmp_path: Path) -> None:
    """--data for a scenario that generates its own is refused, not ignored."""
    result = CliRunner().invoke(scenario, ["run", "card_fraud", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "generates its own" in result.output


@pytest.mark.parametrize("option", ["--rows", "--trees", "--key-bits", "--seed", "--out", "--json"])
def test_the_demo_takes_what_scenarios_take(option: str) -> None:
    """``vfl demo`` is ``vfl scenario run demo``: the same options with the same meaning."""
    helps = [CliRunner().invoke(*call).output for call in ((demo, ["--help"]), (scenario, ["run", "--help"]))]
    lines = [next(line for line in told.splitlines() if option in line) for told in helps]
    assert lines[0].split() == lines[1].split()
