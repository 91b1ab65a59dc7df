"""``vfl evaluate``: the fraud team's table, and a page of it to pass on."""

from __future__ import annotations

from pathlib import Path

import click

from parties.commands.output import example, json_option, load_client_config, party_directory, show
from parties.config.files import write_private
from parties.label.evaluation import AlertTerms, evaluation
from parties.label.party import LabelParty
from parties.report import page, tables
from parties.telemetry.progress import ProgressLine
from vfl.errors import ConfigError


@click.command(epilog=example("vfl evaluate bank MODEL --in labelled.csv --html report.html"))
@party_directory
@click.argument("model")
@click.option("source", "--in", type=click.Path(exists=True), help="Labelled rows.")
@click.option("--amount", metavar="COLUMN", help="What a missed row of label 1 costs.")
@click.option("--day", metavar="COLUMN", help="The day of each row.")
@click.option(
    "--alerts-per-day",
    metavar="K",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Alerts that the team can look at: a day, or in all where no days are known.",
)
@click.option(
    "--cost-of-alert",
    metavar="MONEY",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="What looking at one costs, in the unit of the amounts.",
)
@click.option("--html", type=click.Path(path_type=Path), help="A page of tables and plots to write.")
@json_option
def evaluate(
    *,
    directory: Path,
    model: str,
    source: str | None,
    amount: str | None,
    day: str | None,
    alerts_per_day: int,
    cost_of_alert: float,
    html: Path | None,
    as_json: bool,
) -> None:
    """Print how well MODEL finds label 1, and what each peer adds to the label party alone.

    Without --in it is judged on the validation rows of training, or on the training rows themselves
    where none were kept out. Every peer is asked once: with one peer means that the columns of the
    others count as missing.
    """
    if html is not None and html.suffix != ".html":
        raise ConfigError(f"--html {html.name}: write a name that ends in .html")
    with LabelParty(load_client_config(directory)) as party, ProgressLine("scoring") as progress:
        scored = party.evaluation_data(model, source=source, amount=amount, day=day, on_progress=progress)
        record = party.record(model)
    result = evaluation(scored, AlertTerms(alerts_per_day=alerts_per_day, cost_of_alert=cost_of_alert))
    if html is not None:
        write_private(html.resolve(), page.render(result, scored, record).encode())
    show(result, as_json, tables.to_text(result) + (f"\n\n{html}: the same with plots" if html else ""))
