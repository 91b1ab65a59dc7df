"""``vfl publish`` and ``vfl withdraw``: which models the scoring service answers with."""

from __future__ import annotations

from pathlib import Path

import click

from parties import config as configuration
from parties.commands.output import example, json_option, load_client_config, party_directory, show
from parties.serving.publish import DEFAULT_RULE
from parties.serving.publish import publish as publish_model
from parties.serving.publish import withdraw as withdraw_model
from parties.serving.schemas import Fallback
from parties.telemetry.progress import ProgressLine
from vfl.evaluation.thresholds import Rule


@click.command(epilog=example("vfl publish bank MODEL --threshold alerts_per_day=50"))
@party_directory
@click.argument("model")
@click.option(
    "--population",
    type=click.Path(exists=True, dir_okay=False),
    help="Customers that can be scored by key; default: the data of DIR.",
)
@click.option(
    "--threshold",
    default=str(DEFAULT_RULE),
    show_default=True,
    help="fpr=RATE, alerts_per_day=NUMBER, cost=OF_AN_ALERT or score=SCORE.",
)
@click.option(
    "--fallback",
    type=click.Choice(["partial", "bank_only", "refuse"]),
    default="partial",
    show_default=True,
    help="Where partners do not answer: their columns count as missing, the bank's own model, or no score.",
)
@json_option
def publish(
    directory: Path, model: str, population: str | None, threshold: str, fallback: Fallback, as_json: bool
) -> None:
    """Let the scoring service of DIR answer with MODEL.

    A sample of customers is scored in batch, online and by XGBoost first; if one score differs in one bit,
    nothing is published.
    """
    rule = Rule.parse(threshold)
    config = load_client_config(directory)
    with ProgressLine("publishing") as progress:
        made = publish_model(
            config, model, population=population, rule=rule, fallback=fallback, on_progress=progress
        )
    text = (
        f"publication {made.number} of model {model}: {made.population.rows:,} customers, "
        f"an alert from {made.threshold.joint:.6g} on ({made.threshold.rule} on {made.metrics_on} rows)\n"
        f"  {made.parity.rows:,} customers score alike in batch, online and in XGBoost, bit for bit"
    )
    show(made, as_json, text)


@click.command(epilog=example("vfl withdraw bank MODEL"))
@party_directory
@click.argument("model")
@json_option
def withdraw(directory: Path, model: str, as_json: bool) -> None:
    """Take MODEL out of the scoring service of DIR; what was published stays on record."""
    made = withdraw_model(configuration.load(directory), model)
    show(made, as_json, f"model {model} is withdrawn")
