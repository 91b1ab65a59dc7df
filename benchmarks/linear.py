"""How long a linear model takes: ``python -m benchmarks.linear --json linear.json``.

Workload ``w1`` of `benchmarks.train`: logistic regression on 13 columns of a bank and 10 of a partner, each
in processes of its own with a certificate of its own, over HTTPS on the loopback interface, by the commands
that a user types. Paillier keys of 2048 bits. scikit-learn on the pooled table is the judge; it may read the
partner's coefficients because both party directories are the benchmark's own.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks import linear_limit
from benchmarks.linear_limit import Rounds
from benchmarks.train import DATA, FILES, auc_of_scores, w1
from parties import config as configuration
from parties.data.rows import Source
from parties.storage.peer_store import PeerStore
from scenarios import pooled_table
from scenarios.consortium import Consortium, Institution
from vfl.algorithms.linear.remote_party import CHUNK_ROWS
from vfl.arrays import Float64
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearFeaturePart
from vfl.linear_model.scaling import CLIPPED

Protocol = Literal["plain", "shared"]

MODEL = "w1"


def measure(protocol: Protocol, data: Path, directory: Path) -> dict[str, Any]:
    """Train the workload once in a new directory and return the measured facts."""
    workload = w1(data)
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
        _say("aligning")
        consortium.run("align", "bank")
        before = consortium.traffic()["partner"]
        _say(f"training, protocol {protocol}")
        options = ("--algorithm", "linear", "--param", f"protocol={protocol}", "--json")
        record = json.loads(consortium.run("train", "bank", "--model", MODEL, *options))
        after = consortium.traffic()["partner"]
        consortium.run("score", "bank", MODEL, "--in", "test.parquet", "--out", "scores.csv")
    fit = pooled_table.trained_on(consortium)
    totals = json.loads(consortium.run("audit", "show", "bank", "--json"))
    messages = {total["kind"]: total["messages"] for total in totals}
    seconds = record["seconds"]
    versions = json.loads(consortium.run("info", "--json"))
    return {
        "workload": "w1",
        "protocol": protocol,
        "rows": len(fit.labels),
        "train_seconds": seconds,
        "iterations": messages["OpenRound" if protocol == "plain" else "OpenStep"],
        "converged": record["facts"]["converged"],
        "directions": record["facts"]["directions"],
        "auc_test": auc_of_scores(workload.test, directory),
        **_against_pooled(
            workload.test, fit, consortium, record, CLIPPED if protocol == "shared" else np.inf
        ),
        **(_against_limit(fit, messages, consortium.key_bits, seconds) if protocol == "plain" else {}),
        "kernel": versions.pop("kernel"),
        "threads": int(versions.pop("threads")),
        "key_bits": consortium.key_bits,
        **{key: after[key] - before[key] for key in after},
        "peak_rss_mb": consortium.peak_mb,
        "versions": versions,
    }


def _against_pooled(
    test: pd.DataFrame,
    fit: pooled_table.PooledTable,
    consortium: Consortium,
    record: dict[str, Any],
    limit: float,
) -> dict[str, Any]:
    """Compare with scikit-learn on all columns in one table, scaled and limited as at every party."""
    scaler = StandardScaler().fit(fit.columns.astype(np.float64))

    def scaled(columns: npt.NDArray[np.floating]) -> Float64:
        return np.asarray(np.clip(scaler.transform(columns.astype(np.float64)), -limit, limit))

    judge = LogisticRegression(tol=1e-12, max_iter=1000).fit(scaled(fit.columns), fit.labels)
    scored = pooled_table.scored(consortium, consortium.directory / "test.parquet")
    expected = judge.predict_proba(scaled(scored.columns))[:, 1]
    found = [*record["facts"]["coefficients"].values(), *_partner_coefficients(consortium)]
    scores = pd.read_csv(consortium.directory / "scores.csv", dtype={"id": str}).set_index("id")["score"]
    return {
        "max_abs_coef_diff": float(np.abs(np.array(found) - judge.coef_[0]).max()),
        "max_abs_score_diff": float(np.abs(scores.loc[test["id"]].to_numpy() - expected).max()),
    }


def _partner_coefficients(consortium: Consortium) -> list[float]:
    config = configuration.load(consortium.path("partner"))
    part = PeerStore(config, "bank", Source(config)).load_part(MODEL)
    if not isinstance(part, LinearFeaturePart):
        raise TypeError("the partner keeps no part of a linear model")
    return part.terms.coefficients


def _against_limit(
    fit: pooled_table.PooledTable, messages: dict[str, int], key_bits: int, seconds: float
) -> dict[str, Any]:
    chunks = -(-len(fit.labels) // CHUNK_ROWS)
    rounds = Rounds(messages["OpenRound"], messages["Curvatures"] // chunks)
    partner = fit.columns[:, fit.own :]
    least = linear_limit.measure(partner, LinearParams(), rounds, key_bits)
    return {"curved_rounds": rounds.curved, **least, "efficiency": least["limit_seconds"] / seconds}


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.command(epilog="Example:\n\n  python -m benchmarks.linear --json linear.json")
@click.option("--protocol", type=click.Choice(get_args(Protocol)), default="plain", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=DATA, help="Directory of w1_bank.parquet.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the facts there.")
def main(protocol: Protocol, data: Path, file: Path | None) -> None:
    """Measure a linear model over HTTPS with a label party and a feature party on this machine."""
    absent = [str(data / name) for name in FILES["w1"] if not (data / name).exists()]
    if absent:
        raise click.UsageError(f"no {', no '.join(absent)}; say where the data is with --data")
    with tempfile.TemporaryDirectory(prefix="vfl-") as directory:
        facts = measure(protocol, data, Path(directory))
    for key, value in facts.items():
        click.echo(f"{key:18} {value}")
    if file is not None:
        file.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
