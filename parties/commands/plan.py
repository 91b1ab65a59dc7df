"""``vfl plan``: what a training job will take, before it runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from parties import config as configuration
from parties.commands.output import example, json_option, party_directory, show
from parties.label.planning import Prediction, Wanted, predict, with_settings
from vfl.algorithms.trees.cost_model import Link

_COUNT = click.IntRange(min=1)


@click.command(epilog=example("vfl plan bank --partner-columns 20 --trees 100 --link-mbit 100"))
@party_directory
@click.option("--rows", type=_COUNT, help="Rows that train; default: those of the data.")
@click.option("--columns", type=_COUNT, help="The label party's columns; default: those of its data.")
@click.option(
    "--partner-columns",
    type=_COUNT,
    multiple=True,
    help="A feature party's columns; repeat it for each. Default at a feature party: its own.",
)
@click.option(
    "--common",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the rows that each partner knows.",
)
@click.option("--bins", type=click.IntRange(2, 65_535), help="Default: max_bin of [model].")
@click.option("--trees", type=_COUNT, help="Default: n_estimators of [model].")
@click.option("--depth", type=click.IntRange(1, 30), help="Default: max_depth of [model].")
@click.option("--key-bits", type=click.Choice(["2048", "3072"]), help="Default: that of [crypto].")
@click.option("--profile", type=click.Choice(["short", "full"]), help="Default: that of [crypto].")
@click.option(
    "--link-mbit",
    type=click.FloatRange(min=0.1),
    default=1000.0,
    show_default=True,
    help="The label party's line, in Mbit/s.",
)
@click.option(
    "--round-trip-ms",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Time to a partner and back.",
)
@click.option("--one-machine", is_flag=True, help="All parties share this machine, as in a trial.")
@json_option
def plan(
    *,
    directory: Path,
    bins: int | None,
    trees: int | None,
    depth: int | None,
    key_bits: str | None,
    profile: str | None,
    link_mbit: float,
    round_trip_ms: float,
    one_machine: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Predict time, traffic and memory of a training job of DIR; nobody is asked anything.

    Multiplications are timed on this machine for about a second, and partners are taken to have machines
    like it. What is not given comes from party.toml and the data. The columns of partners are taken to
    have as many bins, and as much in common, as those of DIR.
    """
    config = with_settings(
        configuration.load(directory),
        {"max_bin": bins, "n_estimators": trees, "max_depth": depth},
        {"key_bits": key_bits and int(key_bits), "profile": profile},
    )
    link = Link(link_mbit * 1e6, round_trip_ms / 1e3)
    predicted = predict(config, Wanted(**wanted), link, one_machine=one_machine)
    show(predicted, as_json, _text(predicted))


def _text(predicted: Prediction) -> str:
    work, machine, plan = predicted.work, predicted.machine, predicted.plan
    steps = ", ".join(
        f"{name.replace('_', ' ')} {_time(seconds)}" for name, seconds in asdict(plan.steps).items()
    )
    lines = [
        f"job          {work.rows:,} rows, {work.trees:,} trees of depth {work.depth}, "
        f"{work.key_bits}-bit key, profile {work.profile}",
        f"machine      kernel {machine.kernel}, {machine.threads} threads, "
        f"{1 / machine.encrypt:,.0f} rows encrypted a second",
        f"time         {_time(plan.seconds)}, of which {_time(plan.opening_seconds)} to open; "
        f"{_time(plan.tree_seconds)} a tree",
        f"  of a tree  {steps}",
    ]
    parties = zip(work.partners, plan.traffic, plan.feature_memory, plan.scratch_bytes, strict=True)
    for number, (partner, traffic, memory, scratch) in enumerate(parties, start=1):
        disk = f", and {_size(scratch)} of disk" if scratch else ""
        lines += [
            f"partner {number}    {partner.rows:,} rows, {partner.columns:,} columns",
            f"  it receives {_size(traffic.to_partner)} "
            f"({traffic.to_partner_per_row_and_tree:,.1f} bytes a row and tree)",
            f"  it sends    {_size(traffic.from_partner)} "
            f"({traffic.from_partner_per_row_and_tree:,.1f} bytes a row and tree)",
            f"  it needs    {_size(memory)} of memory{disk}",
        ]
    return "\n".join([*lines, f"label party  needs {_size(plan.label_memory)} of memory"])


def _time(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e3:.0f} ms"


def _size(count: float) -> str:
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"
