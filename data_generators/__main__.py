"""Write the generated tables to files: ``python -m data_generators --rows 20000 --out data``."""

from __future__ import annotations

from pathlib import Path

import click

from data_generators.cards import CARDS
from data_generators.fraud import FRAUD
from data_generators.generator import FORMATS
from data_generators.mules import MULES

STORIES = {"fraud": FRAUD, "cards": CARDS, "mules": MULES}


@click.command(epilog="Example: python -m data_generators --rows 20000 --out data --seed 7 --format parquet")
@click.option(
    "--story", type=click.Choice(list(STORIES)), default="fraud", show_default=True, help="What about."
)
@click.option(
    "--rows", type=click.IntRange(min=100), default=20_000, show_default=True, help="The bank's rows."
)
@click.option("--test-rows", type=click.IntRange(min=0), help="The bank's rows for testing.  [rows / 4]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Equal seeds, equal tables."
)
@click.option("--format", type=click.Choice(FORMATS), default="csv", show_default=True)
def main(story: str, rows: int, test_rows: int | None, out: Path, seed: int, format: str) -> None:
    """Generate tables of a bank and its partners, about 1% of the rows fraud.

    Stories: fraud (customers of a bank, a telco and a payment processor), cards (card transactions of a
    bank and an acquirer), mules (customers of the three, some of them money mules).
    """
    for path in STORIES[story].write(out, rows, seed, test_rows, format=format):
        click.echo(path)


if __name__ == "__main__":
    main()
