"""Write the generated tables to files: ``python -m data_generators --rows 20000 --out data``."""

from __future__ import annotations

from pathlib import Path

import click

from data_generators.fraud import write


@click.command(epilog="Example: python -m data_generators --rows 20000 --out data --seed 7 --format parquet")
@click.option(
    "--rows", type=click.IntRange(min=100), default=20_000, show_default=True, help="Bank customers."
)
@click.option("--test-rows", type=click.IntRange(min=0), help="Bank customers kept for testing.  [rows / 4]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Equal seeds, equal tables."
)
@click.option("--format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
def main(rows: int, test_rows: int | None, out: Path, seed: int, format: str) -> None:
    """Generate customers of a bank, a telco and a payment processor, about 1% of them fraudsters."""
    for path in write(out, rows, seed, test_rows, format):
        click.echo(path)


if __name__ == "__main__":
    main()
