"""A bank and a bureau with 300 and 280 customers, their party directories made by the real commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.consortium import Consortium, Institution


def write_tables(directory: Path) -> None:
    """The bank knows customers 0 to 299, the bureau 60 to 339, in its own order and spelling."""
    rng = np.random.default_rng(5)
    age, delays = rng.integers(18, 80, 300), rng.integers(0, 9, 280)
    known = np.concatenate([np.full(60, np.nan), delays[:240]])
    defaulted = (np.nan_to_num(known, nan=4) + rng.normal(0, 2, 300) > 6).astype(int)
    names = [f"C{number:03}" for number in range(340)]
    pd.DataFrame({"customer_id": names[:300], "age": age, "default": defaulted}).to_csv(
        directory / "bank.csv", index=False
    )
    bureau = pd.DataFrame({"person": [f" {name.lower()}" for name in names[60:]], "delays": delays})
    bureau.sample(frac=1, random_state=0).to_csv(directory / "bureau.csv", index=False)


@pytest.fixture(scope="package")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    directory = tmp_path_factory.mktemp("consortium")
    write_tables(directory)
    made = Consortium(
        directory,
        [
            Institution("bank", directory / "bank.csv", label="default"),
            Institution("bureau", directory / "bureau.csv", key="person"),
        ],
    )
    made.set_up()
    with made.serving():
        made.run("align", "bank")
    return made
