"""A bank and a credit bureau on real customers: the UCI data set "Default of Credit Card Clients".

Yeh and Lien 2009, 30,000 customers in Taiwan, CC BY 4.0. The data set is cut as two institutions would
hold it: neither knows all customers of the other, and each writes the customer's key in its own way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.consortium import Consortium, Institution
from scenarios.run import Run, Step
from scenarios.scenario import TEST, Choice, Scenario
from scenarios.training_steps import STEPS
from vfl.algorithms.trees.params import TreeParams
from vfl.psi.identifiers import Recipe, prepare

KEY, LABEL, RECIPE = "customer_id", "default", "strip upper"
FILES = ("bank.csv", "bureau.csv", "bureau_dirty.csv")

TEST_FRACTION = 0.25
TEST_KEY = b"credit_default test customers"
"""Keys the hash that draws the test customers: the same ones everywhere, whatever the order of rows."""


def hold_out(bank: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which customers are kept for testing, bool [n], by a keyed hash of the canonical key."""
    keys = prepare({KEY: bank[KEY].tolist()}, Recipe.parse([f"{KEY}: {RECIPE}"])).keys
    digests = (hmac.digest(TEST_KEY, key.encode(), hashlib.sha256) for key in keys)
    return np.array([int.from_bytes(digest[:8], "big") < TEST_FRACTION * 2**64 for digest in digests])


def prepare_data(directory: Path, choice: Choice) -> list[Institution]:
    """Put the bank's files, cut in two, into a directory; return who holds which file.

    Raises:
        UsageError: the data is not where it should be, or something was chosen that it decides.
    """
    if choice.data is None:
        raise click.UsageError(f"--data is missing: a directory with {', '.join(FILES)}")
    if choice.rows is not None:
        raise click.UsageError("--rows is for scenarios on generated data; here the data says how many")
    absent = [name for name in FILES if not (choice.data / name).exists()]
    if absent:
        raise click.UsageError(f"--data {choice.data} lacks {', '.join(absent)}")
    data = choice.data.resolve()
    bank = pd.read_csv(data / "bank.csv")
    test = hold_out(bank)
    bank[~test].to_csv(directory / "bank.csv", index=False)
    bank[test].to_csv(directory / TEST, index=False)
    return [
        Institution("bank", directory / "bank.csv", KEY, recipe=RECIPE, label=LABEL),
        Institution("bureau", data / "bureau.csv", KEY, recipe=RECIPE),
    ]


def _check(run: Run) -> None:
    """Let the bureau look at a damaged copy of its file; no message is sent for it."""
    bureau = run.consortium.features[0]
    dirty = dataclasses.replace(bureau, name="bureau_dirty", data=bureau.data.with_name("bureau_dirty.csv"))
    run.line("$ vfl check bureau_dirty")
    run.say(Consortium(run.consortium.directory, [dirty]).check(dirty))


CHECK = Step(
    "check", "the bureau looks at a damaged copy of its file, before any message is sent", _check, False
)

CREDIT_DEFAULT = Scenario(
    name="credit_default",
    line="A bank and a credit bureau predict default of 30,000 real customers",
    title="Default predicted by a bank alone, with a bureau, and on pooled columns",
    institutions=("bank", "bureau"),
    duration="a minute",
    params=TreeParams(n_estimators=60, max_depth=3, learning_rate=0.1, max_bin=32),
    prepare=prepare_data,
    steps=(CHECK, *STEPS),
)
