"""``vfl bin`` and ``vfl scorecard``: bins with weights of evidence, and points for them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from parties import config as configuration
from parties.commands.output import example, json_option, load_client_config, party_directory, show
from parties.commands.parameters import parameters
from parties.label.party import LabelParty
from parties.label.scorecard import Scorecard, scorecard
from parties.report.tables import table
from parties.storage.model_store import BinningRecord
from parties.telemetry.progress import ProgressLine
from vfl.algorithms.scorecard.card import PointsRow
from vfl.algorithms.scorecard.model import ColumnTable, LabelBinning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.points import Scale


class _Binned(msgspec.Struct, frozen=True):
    """The result of a binning: its record, and the tables of all columns."""

    record: BinningRecord
    information_values: dict[str, float]
    unknown: dict[str, float]
    tables: list[ColumnTable]


@click.command("bin", epilog=example("vfl bin bank --name b1 --param max_bins=6"))
@party_directory
@click.option("--alignment", help="Alignment to count on; the newest of the data by default.")
@click.option("--name", help="Name of the binning; made up by default.")
@click.option("params", "--param", metavar="NAME=VALUE", multiple=True, help="A parameter of the bins.")
@click.option("--validation-fraction", default=0.0, show_default=True, help="Fraction of rows to leave out.")
@json_option
def bin_columns(
    *,
    directory: Path,
    alignment: str | None,
    name: str | None,
    params: tuple[str, ...],
    validation_fraction: float,
    as_json: bool,
) -> None:
    """Bin the columns of DIR and of its peers by the labels of DIR, with weights of evidence.

    Each party keeps the cut points of its own columns. A peer's columns have their names where it shows them.
    """
    config = load_client_config(directory)
    bin_params = parameters(BinningParams, params, BinningParams())
    with LabelParty(config) as party, ProgressLine("binning") as progress:
        record, binning = party.bin(
            alignment=alignment,
            name=name,
            params=bin_params,
            validation_fraction=validation_fraction,
            on_progress=progress,
        )
    values = {_name(each, config.party.name): each.iv for each in binning.tables}
    result = _Binned(record, values, binning.unknown, binning.tables)
    show(result, as_json, _text(record, binning, config.party.name))


@click.command("scorecard", epilog=example("vfl scorecard bank m1 --pdo 20 --base-score 600 --base-odds 50"))
@party_directory
@click.argument("model")
@click.option("--pdo", default=20.0, show_default=True, help="Points that double the odds.")
@click.option("--base-score", default=600.0, show_default=True, help="Score at the base odds.")
@click.option("--base-odds", default=50.0, show_default=True, help="Rows of label 0 to one of label 1.")
@click.option("--peer", help="The label party of MODEL, where several have one of that name.")
@json_option
def points(
    *,
    directory: Path,
    model: str,
    pdo: float,
    base_score: float,
    base_odds: float,
    peer: str | None,
    as_json: bool,
) -> None:
    """Print the points of DIR's own bins in MODEL, a linear model on weights of evidence.

    Every party runs this in its own directory with the same scale. A customer's score is the label party's
    base points and the points of the customer's bins at all parties.
    """
    card = scorecard(configuration.load(directory), model, Scale(pdo, base_score, base_odds), peer)
    show(card, as_json, _card_text(card))


def _name(column: ColumnTable, label_party: str) -> str:
    return f"{column.owner or label_party}.{column.name or column.column}"


def _text(record: BinningRecord, binning: LabelBinning, label_party: str) -> str:
    tables = sorted(binning.tables, key=lambda each: -each.iv)
    lines = [
        [
            _name(each, label_party),
            f"{each.iv:.4f}",
            str(sum(line.kind == "values" for line in each.bins)),
            "kept" if each.selected else "",
        ]
        for each in tables
    ]
    title = f"binning {record.binning}: {record.rows:,} rows counted in {record.seconds:,.1f} s"
    return f"{title}\n{table(['column', 'IV', 'bins', ''], lines)}"


def _card_text(card: Scorecard) -> str:
    lines = [[row.column, _range(row), f"{row.woe:+.4f}", f"{row.points:+.1f}"] for row in card.rows]
    lines += [[peer, "unknown", "", f"{points:+.1f}"] for peer, points in card.unknown.items()]
    base = "" if card.base_points is None else f"base points {card.base_points:.1f}\n"
    return base + table(["column", "bin", "WOE", "points"], lines)


def _range(row: PointsRow) -> str:
    if row.kind == "missing":
        return "missing"
    low = "" if row.low is None else f"{row.low:.6g} <= "
    high = "" if row.high is None else f" < {row.high:.6g}"
    return f"{low}x{high}"
