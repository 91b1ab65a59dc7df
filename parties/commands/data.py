"""``vfl check`` and ``vfl ledger``: look at the data, and at what was exchanged."""

from __future__ import annotations

from pathlib import Path

import click

from parties import check as checks
from parties import config as configuration
from parties import database
from parties.commands.output import example, json_option, party_directory, show
from parties.ledger import Ledger


@click.command(epilog=example("vfl check bureau"))
@party_directory
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Report on the data of DIR before any message is sent; exit code 1 where it cannot be used."""
    config = configuration.load(directory)
    found = checks.check(config)
    lines = [
        f"rows            {found.rows:,}, of which {found.usable_rows:,} take part",
        f"empty keys      {found.empty_keys:,}",
        f"duplicate keys  {found.duplicate_keys:,} in {found.duplicate_rows:,} rows",
        f"columns         {len(found.missing)}",
    ]
    lines += [f"  {name:30} {share:7.2%} missing" for name, share in found.missing.items()]
    lines += [f"PROBLEM {problem.column}: {problem.text}" for problem in found.problems]
    show(found, as_json, "\n".join(lines if found.problems else [*lines, "no problem found"]))
    if found.problems:
        raise SystemExit(1)


@click.command(epilog=example("vfl ledger bureau"))
@party_directory
@json_option
def ledger(directory: Path, as_json: bool) -> None:
    """Print what DIR has exchanged with its peers: messages and bytes by kind and outcome."""
    totals = Ledger(database.connect(configuration.load(directory))).totals()
    heads = ("peer", "message", "outcome", "count", "bytes in", "bytes out")
    lines = ["    {:16} {:16} {:16} {:>8} {:>14} {:>14}".format(*heads)]
    for total in totals:
        inward, outward = total.request_bytes, total.reply_bytes
        if total.direction == "out":
            inward, outward = outward, inward
        lines.append(
            f"{total.direction:3} {total.peer:16} {total.kind:16} {total.outcome:16} "
            f"{total.messages:>8,} {inward:>14,} {outward:>14,}"
        )
    show([total._asdict() for total in totals], as_json, "\n".join(lines))
