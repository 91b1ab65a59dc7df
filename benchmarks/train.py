"""How long training takes: ``python -m benchmarks.train --workload w1 --json w1.json``.

A label party and a feature party, each in processes of its own with a certificate of its own, over HTTPS
on the loopback interface, by the commands that a user types. Paillier keys of 2048 bits.

Workload ``w1`` is the UCI data set "Default of Credit Card Clients" (Yeh and Lien 2009), standardised and
split as FATE's example ``default_credit_hetero`` splits it: 13 and 10 columns, trained on the first 24,000
rows by ``id``, tested on the other 6,000. Workload ``w2`` is made: 100,000 rows, 20 and 20 columns.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np
import pandas as pd

from benchmarks import limit
from scenarios import pooled_table
from scenarios.consortium import Consortium, Institution
from scenarios.report import explain
from scenarios.run import options
from vfl.algorithms.trees.params import TreeParams
from vfl.evaluation import metrics

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
W1_TRAINING_ROWS = 24_000
SETTINGS = TreeParams(max_depth=5, learning_rate=0.3, reg_lambda=1.0, max_bin=32)
FILES = {"w1": ("w1_bank.parquet", "w1_partner.parquet"), "w2": ()}
TREES = {"w1": 10, "w2": 3}


class Workload(NamedTuple):
    """Tables of both parties, keyed by ``id``; the label is ``y``. ``test`` may be empty."""

    bank: pd.DataFrame
    test: pd.DataFrame
    partner: pd.DataFrame


def w1(data: Path) -> Workload:
    """Read W1."""
    bank, partner = (pd.read_parquet(data / name) for name in FILES["w1"])
    bank = bank.sort_values("id")
    for table in (bank, partner):
        table["id"] = table["id"].astype("int64").astype(str)
    return Workload(bank[:W1_TRAINING_ROWS], bank[W1_TRAINING_ROWS:], partner)


def w2(_: Path) -> Workload:
    """Make W2."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100_000, 40))
    y = X[:, ::3].sum(1) + 0.5 * X[:, 1] * X[:, 21] + rng.standard_normal(len(X)) > 1.0
    table = pd.DataFrame(X.astype(np.float32)).rename(columns=lambda number: f"x{number}")
    table.insert(0, "id", [str(row) for row in range(len(X))])
    bank = table.iloc[:, :21].assign(y=y.astype(np.int8))
    return Workload(bank, bank[:0], table[["id", *table.columns[21:]]])


def measure(name: str, data: Path, directory: Path, params: TreeParams) -> dict[str, Any]:
    """Train a workload once in a new directory and return the measured facts.

    Trees are compared with xgboost's, and time with the least it could be, only where every row is taken.
    """
    workload = {"w1": w1, "w2": w2}[name](data)
    for file, table in workload._asdict().items():
        table.to_parquet(directory / f"{file}.parquet", index=False)
    consortium = Consortium(
        directory,
        [
            Institution("bank", directory / "bank.parquet", "id", recipe="strip", label="y"),
            Institution("partner", directory / "partner.parquet", "id", recipe="strip"),
        ],
    )
    consortium.set_up()
    with consortium.serving():
        _say(f"{name}: aligning")
        consortium.run("align", "bank")
        before = consortium.traffic()["partner"]
        _say(f"{name}: training {params.n_estimators} trees")
        said = consortium.run("train", "bank", "--model", name, *options(params), "--json")
        after = consortium.traffic()["partner"]
        if len(workload.test):
            consortium.run("score", "bank", name, "--in", "test.parquet", "--out", "scores.csv")
        consortium.run("export", "bank", name, "--xgboost", "model.json")
    seconds = json.loads(said)["seconds"]
    fit = pooled_table.trained_on(consortium)
    whole = params.data_sample_strategy == "bagging" and params.subsample == 1
    versions = json.loads(consortium.run("info", "--json"))
    return {
        "workload": name,
        "rows": len(fit.labels),
        "trees": params.n_estimators,
        "train_seconds": seconds,
        "seconds_per_tree": seconds / params.n_estimators,
        **(_against_limit(fit, params, consortium.key_bits, seconds) if whole else {}),
        "auc_test": auc_of_scores(workload.test, directory) if len(workload.test) else None,
        **(_against_pooled(fit, params, directory) if whole else {}),
        "kernel": versions.pop("kernel"),
        "threads": int(versions.pop("threads")),
        "key_bits": consortium.key_bits,
        **{key: after[key] - before[key] for key in after},
        "peak_rss_mb": consortium.peak_mb,
        "versions": versions,
    }


def _against_pooled(fit: pooled_table.PooledTable, params: TreeParams, directory: Path) -> dict[str, Any]:
    differences = pooled_table.differences(directory / "model.json", pooled_table.train(fit, params))
    return {
        "identical_trees": all(difference.is_tie for difference in differences),
        "differences": [explain(difference) for difference in differences],
    }


def _against_limit(
    fit: pooled_table.PooledTable, params: TreeParams, key_bits: int, seconds: float
) -> dict[str, Any]:
    own, partner = fit.columns[:, : fit.own], fit.columns[:, fit.own :]
    least = limit.measure(own, partner, fit.labels, params, key_bits)
    return {**least, "efficiency": least["limit_seconds"] / seconds}


def auc_of_scores(test: pd.DataFrame, directory: Path) -> float:
    """ROC-AUC of the scores of the test rows; the file holds them in any order."""
    scores = pd.read_csv(directory / "scores.csv", dtype={"id": str}).set_index("id")["score"]
    return metrics.roc_auc(test["y"].to_numpy(), scores.loc[test["id"]].to_numpy())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.command(epilog="Example:\n\n  python -m benchmarks.train --workload w1 --trees 3 --json w1.json")
@click.option("--workload", type=click.Choice(sorted(TREES)), required=True, help="What to train.")
@click.option("--trees", type=click.IntRange(min=1), help="Trees to train; 10 in w1 and 3 in w2 by default.")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of XGBoost's name.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, help="Directory of w1_bank.parquet.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the facts there.")
def main(workload: str, trees: int | None, param: tuple[str, ...], data: Path, file: Path | None) -> None:
    """Measure training over HTTPS with a label party and a feature party on this machine."""
    absent = [str(data / name) for name in FILES[workload] if not (data / name).exists()]
    if absent:
        raise click.UsageError(f"no {', no '.join(absent)}; say where the data is with --data")
    with tempfile.TemporaryDirectory(prefix="vfl-") as directory:
        given = {name: _value(text) for name, _, text in (each.partition("=") for each in param)}
        params = msgspec.structs.replace(SETTINGS, n_estimators=trees or TREES[workload], **given)
        facts = measure(workload, data, Path(directory), params)
    for key, value in facts.items():
        click.echo(f"{key:18} {value}")
    if file is not None:
        file.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
