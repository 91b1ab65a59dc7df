"""``vfl info``: what a report of a fault needs."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from parties.commands.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_info_names_the_kernel() -> None:
    """What a report of a fault needs: versions and which kernel runs."""
    facts = json.loads(run("info", "--json").output)
    assert facts["kernel"]
    assert facts["cheroot"] != "not installed"
