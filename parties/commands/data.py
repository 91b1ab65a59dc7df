"""``vfl check``: look at the data before anything is exchanged."""

from __future__ import annotations

from pathlib import Path

import click

from parties import config as configuration
from parties.commands.output import example, json_option, party_directory, show
from parties.data import check as checks


@click.command(epilog=example("vfl check bureau"))
@party_directory
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Report on the data of DIR before any message is sent; exit code 1 where it cannot be used."""
    config = configuration.load(directory)
    report = checks.check(config)
    lines = [
        f"rows            {report.rows:,}, of which {report.usable_rows:,} take part",
        f"empty keys      {report.empty_keys:,}",
        f"duplicate keys  {report.duplicate_keys:,} in {report.duplicate_rows:,} rows",
        f"columns         {len(report.missing)}",
    ]
    lines += [f"  {name:30} {part:7.2%} missing" for name, part in report.missing.items()]
    lines += [f"PROBLEM {problem.column}: {problem.text}" for problem in report.problems]
    show(report, as_json, "\n".join(lines if report.problems else [*lines, "no problem found"]))
    if report.problems:
        raise SystemExit(1)
