"""How fast the scoring API answers: ``python -m benchmarks.scoring --json scoring.json``.

A bank, a telco and a payment processor with generated customers, each in processes of its own, train a
model and publish it. Requests go to the bank's API over HTTPS; it asks both partners over mutual TLS. All
of them, and the program that sends the requests, share this machine.

* single: requests of one record, looked up by key, leave at a steady rate; latency counts from when each
  was due.
* batch: requests of many records, over a few connections, each sending its next one when it has its
  answer; once by key alone, and once with the bank's own columns in the request.
"""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import pandas as pd

from benchmarks.load import Load, Target, at_rate, one_after_another
from data_generators.fraud import FRAUD
from parties import config as configuration
from scenarios.consortium import Consortium
from scenarios.processes import CommandFailed
from scenarios.run import MODEL, options
from scenarios.scenario import TEST, Choice, generated
from vfl.algorithms.trees.params import TreeParams

TRAINING_ROWS = 4_000
BATCH_CONNECTIONS = 2
WARM_REQUESTS = 200
"""Requests before the clock starts, so that every thread has its connections."""


def measure(
    directory: Path, params: TreeParams, *, population: int, rate: float, seconds: float, batch: int
) -> dict[str, Any]:
    """Serve a model in a new directory, send the load, and return the measured facts."""
    found = generated(FRAUD, "strip spaces upper", rate=0.05, test_fraction=population / TRAINING_ROWS)
    consortium = Consortium(directory, found(directory, Choice(rows=TRAINING_ROWS)))
    consortium.set_up()
    with consortium.serving():
        _say(f"training {params.n_estimators} trees")
        consortium.run("align", "bank")
        consortium.run("train", "bank", "--model", MODEL, *options(params))
        _say(f"aligning and publishing {population:,} customers")
        consortium.run("publish", "bank", MODEL, "--population", TEST)
        target = _served(consortium)
        customers = pd.read_csv(directory / TEST, dtype={consortium.label.key: str})
        one_after_another(target, _bodies(consortium, customers[:WARM_REQUESTS], 1), connections=16)
        _say(f"{rate:g} requests of one record a second, for {seconds:g} s")
        asked = customers.sample(int(rate * seconds), replace=True, random_state=0)
        single = at_rate(target, _bodies(consortium, asked, 1), rate=rate, connections=16)
        _say(f"batches of {batch:,} records")
        columns = [name for name in customers if name not in (consortium.label.key, consortium.label.label)]
        by_key = _batches(target, _bodies(consortium, customers, batch))
        with_columns = _batches(target, _bodies(consortium, customers, batch, columns))
    facts = json.loads(consortium.run("info", "--json"))
    return {
        "trees": params.n_estimators,
        "max_depth": params.max_depth,
        "population": len(customers),
        "single": {
            "requests": len(single.statuses),
            "rate": rate,
            "failed": single.failed,
            "p50_ms": single.quantile(0.5),
            "p90_ms": single.quantile(0.9),
            "p99_ms": single.quantile(0.99),
            "slowest_ms": single.quantile(1.0),
        },
        "batch_by_key": _per_second(by_key, batch, len(customers)),
        "batch_with_columns": _per_second(with_columns, batch, len(customers)),
        "peak_rss_mb": consortium.peak_mb,
        "threads": int(facts.pop("threads")),
        "versions": facts,
    }


def _served(consortium: Consortium) -> Target:
    """Start the API and return what a client needs to call it."""
    create = ("api-key", "create", "bank", "--name", "benchmark", "--model", MODEL, "--rate", "100000")
    key = json.loads(consortium.run(*create, "--json"))["key"]
    consortium.start("bank")
    api = configuration.load(consortium.path("bank")).api
    return Target(
        f"https://{api.host}:{api.port}/v1/models/{MODEL}/score",
        ssl.create_default_context(cafile=str(consortium.path("bank") / "tls" / "ca.pem")),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )


def _bodies(
    consortium: Consortium, customers: pd.DataFrame, size: int, columns: Sequence[str] = ()
) -> list[bytes]:
    """Return requests for customers, ``size`` records each, with these columns in them."""
    label = consortium.label
    records: list[dict[str, Any]] = [{"keys": {label.key_field: key}} for key in customers[label.key]]
    if columns:
        table = customers[list(columns)]
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        records = [record | {"features": row} for record, row in zip(records, rows, strict=True)]
    starts = range(0, len(records), size)
    return [msgspec.json.encode({"records": records[start : start + size]}) for start in starts]


def _batches(target: Target, bodies: Sequence[bytes]) -> Load:
    return one_after_another(target, bodies, connections=BATCH_CONNECTIONS)


def _per_second(load: Load, batch: int, rows: int) -> dict[str, Any]:
    return {
        "records_each": batch,
        "requests": len(load.statuses),
        "failed": load.failed,
        "rows_per_second": round(rows / load.seconds),
        "p50_ms": load.quantile(0.5),
    }


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.command(epilog="Example:\n\n  python -m benchmarks.scoring --seconds 30 --json scoring.json")
@click.option("--trees", type=click.IntRange(min=1), default=100, show_default=True, help="To train.")
@click.option("--depth", type=click.IntRange(min=1), default=4, show_default=True, help="Their depth.")
@click.option("--population", type=click.IntRange(min=1_000), default=100_000, show_default=True)
@click.option("--rate", type=click.FloatRange(min=1), default=100.0, show_default=True, help="A second.")
@click.option("--seconds", type=click.FloatRange(min=1), default=30.0, show_default=True)
@click.option("--batch", type=click.IntRange(1, 10_000), default=10_000, show_default=True, help="Records.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the facts there.")
def main(
    *, trees: int, depth: int, population: int, rate: float, seconds: float, batch: int, file: Path | None
) -> None:
    """Measure the scoring API of a label party with two feature parties on this machine."""
    params = TreeParams(n_estimators=trees, max_depth=depth, max_bin=32, learning_rate=0.1)
    with tempfile.TemporaryDirectory(prefix="vfl-") as directory:
        facts = measure(
            Path(directory), params, population=population, rate=rate, seconds=seconds, batch=batch
        )
    for key, value in facts.items():
        click.echo(f"{key:20} {value}")
    if file is not None:
        file.write_text(json.dumps(facts, indent=2) + "\n")
    failed = sum(facts[part]["failed"] for part in ("single", "batch_by_key", "batch_with_columns"))
    if failed:
        raise CommandFailed(f"{failed} requests were not answered with scores")


if __name__ == "__main__":
    main()
