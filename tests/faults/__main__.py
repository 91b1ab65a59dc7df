"""``python -m tests.faults``: inject all faults and print what came of them.

Institutions run as real processes on this machine with a proxy between two of them. Kills are SIGKILL after a
random, seeded part of the undisturbed traffic. A result counts as the same where what both parties keep of it
is byte for byte what an undisturbed job left.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from tests.faults import guards, ledgers, survival, violations
from tests.faults.scene import Scene
from tests.faults.table import line, run, summary, table


@click.command()
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write the table.")
@click.option("--only", default="", help="Inject only faults whose name holds this.")
@click.option("--rows", default=400, show_default=True, help="Rows of each party.")
@click.option("--seed", default=0, show_default=True, help="Seed of the moments of kills.")
@click.option("--cut-seconds", default=60.0, show_default=True, help="How long the network is cut.")
def main(file: Path | None, only: str, rows: int, seed: int, cut_seconds: float) -> None:
    """Inject faults into jobs of institutions and print what came of each.

    Exit code 1 where something is not as expected.
    """
    logging.getLogger("parties").addHandler(logging.NullHandler())
    every = [*survival.faults(cut_seconds), *violations.faults(), *guards.faults(), *ledgers.faults()]
    chosen = [(number, fault) for number, fault in enumerate(every) if only in fault.name]
    outcomes = []
    with tempfile.TemporaryDirectory() as root:
        click.echo("the parties do each kind of job once, undisturbed", err=True)
        scene = Scene(Path(root), rows)
        try:
            for place, (number, fault) in enumerate(chosen, 1):
                outcomes.append(run(scene, fault, number, seed))
                click.echo(f"{place:>3} of {len(chosen)}  {line(outcomes[-1])}", err=True)
        finally:
            scene.close()
    found = summary(outcomes)
    click.echo(table(outcomes))
    if file:
        rows_of = [asdict(outcome) for outcome in outcomes]
        file.write_text(json.dumps({**found, "cores": os.cpu_count(), "outcomes": rows_of}, indent=1))
    if found["as_expected"] < found["faults"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
