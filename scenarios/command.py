"""``vfl scenario`` and ``vfl demo``: scenarios that run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from parties.report.tables import table
from scenarios.card_fraud import CARD_FRAUD
from scenarios.credit_default import CREDIT_DEFAULT
from scenarios.credit_scorecard import CREDIT_SCORECARD
from scenarios.demo import DEMO
from scenarios.mule_accounts import MULE_ACCOUNTS
from scenarios.scenario import Choice

SCENARIOS = {
    scenario.name: scenario
    for scenario in (DEMO, CARD_FRAUD, MULE_ACCOUNTS, CREDIT_DEFAULT, CREDIT_SCORECARD)
}

_OPTIONS = (
    click.option("--rows", type=click.IntRange(min=200), help="Rows to train on."),
    click.option("--trees", type=click.IntRange(min=1), help="Trees to train."),
    click.option("--key-bits", type=click.Choice(["2048", "3072"]), default="2048", show_default=True),
    click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Of the data."),
    click.option("--out", type=click.Path(path_type=Path), help="Keep everything in this new directory."),
    click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there."),
)


def _run_options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def scenario() -> None:
    """Run scenarios of institutions that work together, each with processes of its own on this machine."""


@scenario.command("list")
def list_scenarios() -> None:
    """Print the scenarios that can be run."""
    lines = [[s.name, ", ".join(s.institutions), s.duration, s.line] for s in SCENARIOS.values()]
    click.echo(table(["name", "institutions", "takes", "what it is about"], lines, texts=4))


@scenario.command(epilog="Example:\n\n  vfl scenario run card_fraud --out cards --json cards.json")
@click.argument("name", type=click.Choice(list(SCENARIOS)))
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory with the data, where the scenario is on real data.",
)
@_run_options
def run(name: str, key_bits: str, **chosen: Any) -> None:
    """Run the scenario NAME: real processes, certificates and Paillier keys; xgboost is the judge."""
    SCENARIOS[name].run(Choice(key_bits=int(key_bits), **chosen))


@click.command(epilog="Example:\n\n  vfl demo --out demo-run --json demo.json")
@_run_options
def demo(key_bits: str, **chosen: Any) -> None:
    """Show three institutions finding fraud together: a bank, a telco and a payment processor.

    Each is a party directory and a process of its own on this machine, with its own certificate and
    generated data; they talk over mutual TLS and train on Paillier ciphertexts, as they would in life.
    The same as `vfl scenario run demo`.
    """
    DEMO.run(Choice(key_bits=int(key_bits), **chosen))
