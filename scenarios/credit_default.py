"""A bank and a credit bureau on real customers: the UCI data set "Default of Credit Card Clients".

Yeh and Lien 2009, 30,000 customers in Taiwan, CC BY 4.0. The data set is cut as two institutions would
hold it: neither knows all customers of the other, and each writes the customer's key in its own way.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import ExitStack
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.consortium import Consortium, Institution, working_directory
from scenarios.story import Story
from vfl.params import TreeParams
from vfl.psi.identifiers import Recipe, prepare

KEY, LABEL, RECIPE = "customer_id", "default", "strip upper"
FILES = ("bank.csv", "bureau.csv", "bureau_dirty.csv")

TEST_SHARE = 0.25
TEST_KEY = b"credit_default test customers"
"""Keys the hash that draws the test customers: the same ones everywhere, whatever the order of rows."""


def hold_out(bank: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which customers are kept for testing, bool [n], by a keyed hash of the canonical key."""
    keys = prepare({KEY: bank[KEY].tolist()}, Recipe.parse([f"{KEY}: {RECIPE}"])).keys
    digests = (hmac.digest(TEST_KEY, key.encode(), hashlib.sha256) for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 for digest in digests])


def institutions(data: Path, directory: Path) -> list[Institution]:
    """Put the bank's files, cut in two, into a directory; return who holds which file."""
    bank = pd.read_csv(data / "bank.csv")
    test = hold_out(bank)
    bank[~test].to_csv(directory / "bank.csv", index=False)
    bank[test].to_csv(directory / "bank_test.csv", index=False)
    return [
        Institution("bank", directory / "bank.csv", KEY, RECIPE, LABEL),
        Institution("bureau", data.resolve() / "bureau.csv", KEY, RECIPE),
    ]


def check_dirty(data: Path, directory: Path) -> str:
    """Return what ``vfl check`` says of a damaged copy of the bureau's file; no message is sent for it."""
    dirty = Institution("bureau_dirty", data.resolve() / "bureau_dirty.csv", KEY, RECIPE)
    return Consortium(directory, [dirty]).check(dirty)


@click.command(epilog="Example:\n\n  python -m scenarios.credit_default --data ../shared/data/credit_default")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory with bank.csv, bureau.csv and bureau_dirty.csv.",
)
@click.option("--trees", type=click.IntRange(min=1), default=60, show_default=True, help="Trees to train.")
@click.option("--key-bits", type=click.Choice(["2048", "3072"]), default="2048", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Keep everything in this new directory.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there.")
def credit_default(data: Path, trees: int, key_bits: str, out: Path | None, file: Path | None) -> None:
    """Show a bank and a credit bureau predicting default together, on 30,000 real customers.

    A quarter of the bank's customers is kept out of training, drawn by a keyed hash of the customer key.
    """
    absent = [name for name in FILES if not (data / name).exists()]
    if absent:
        raise click.UsageError(f"--data {data} lacks {', '.join(absent)}")
    with ExitStack() as stack:
        directory = working_directory(out, stack)
        click.echo("Before any message is sent, the bureau checks a damaged copy of its file:\n")
        click.echo(f"$ vfl check bureau_dirty\n{check_dirty(data, directory)}")
        report = Story(
            title="Default predicted by a bank alone, with a bureau, and on pooled columns",
            consortium=Consortium(directory, institutions(data, directory), int(key_bits)),
            params=TreeParams(n_estimators=trees, max_depth=3, learning_rate=0.1, max_bin=32),
            test="bank_test.csv",
            say=click.echo,
        ).tell()
        click.echo(f"\n{report.to_text()}")
        report.write(file)


if __name__ == "__main__":
    credit_default()
