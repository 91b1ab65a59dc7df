"""What the ledgers of both parties cost a training: ``python -m benchmarks.ledger --json ledger.json``.

A bank and a bureau in one process, over HTTPS on the loopback interface, with a Paillier key of 2048 bits.
Every call of a ledger, and the feature party's signing at the end, is timed; their sum is held against the
training, in wall time and in processor time: the second does not depend on what else the machine does.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from parties.config import Config
from parties.config.settings import PERMISSIONS
from parties.feature import dispatcher as door
from parties.feature.app import create_app
from parties.keys import identity, tls
from parties.label.party import LabelParty
from parties.ledger import heads
from parties.ledger.entries import Ledger
from parties.link.server import PartyServer
from parties.storage import database
from parties.storage import party_directory as directory
from vfl.algorithms.trees.params import TreeParams

PARTNER_COLUMNS = 8


class Stopwatch:
    """Adds up the time of calls, of several threads."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._inside = threading.local()

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is timed; calls within a timed call count once."""

        @functools.wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            if getattr(self._inside, "yes", False):
                return function(*args, **named)
            self._inside.yes, began, worked = True, time.perf_counter(), time.thread_time()
            try:
                return function(*args, **named)
            finally:
                self._inside.yes = False
                self.seconds += time.perf_counter() - began
                self.cpu_seconds += time.thread_time() - worked

        return timed


def make(root: Path, name: str, role: str, table: pd.DataFrame) -> Config:
    """Make a party with a table."""
    source = root / f"{name}.csv"
    table.to_csv(source, index=False)
    data = {"source": str(source), "keys": {"id": "id"}, "recipe": ["id: strip"]}
    if role == "label":
        data["label"] = "y"
    return directory.create(root / name, name=name, role=role, data=data, port=0, dev_ca=root / "ca")


def facts_of(party: Config) -> dict[str, Any]:
    """Return what a peer has to know of a party."""
    fingerprint = tls.fingerprint_of_file(tls.files_of(party).certificate)
    return {"fingerprint": fingerprint, "identity": identity.load(party).public}


@contextmanager
def serving(party: Config) -> Iterator[str]:
    """Serve a party, and give its URL."""
    server = PartyServer(party, create_app(party))
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


def measure(root: Path, rows: int, trees: int) -> dict[str, Any]:
    """Train once in an empty directory, and return what the ledgers took of it."""
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((rows, PARTNER_COLUMNS + 2)).astype(np.float32)
    table = pd.DataFrame(columns).rename(columns=lambda number: f"x{number}")
    table.insert(0, "id", [f"c{row}" for row in range(rows)])
    label = (columns[:, ::3].sum(1) + rng.standard_normal(rows) > 1).astype(int)
    bank = make(root, "bank", "label", table.iloc[:, :3].assign(y=label))
    bureau = make(root, "bureau", "feature", table[["id", *table.columns[3:]]])
    bureau = directory.add_peer(bureau.directory, "bank", facts_of(bank) | {"allow": list(PERMISSIONS)})
    watch = Stopwatch()
    for method in ("append", "exchanges", "head"):
        setattr(Ledger, method, watch.around(getattr(Ledger, method)))
    setattr(door, "countersign", watch.around(heads.countersign))  # noqa: B010  # not a name that it exports
    with serving(bureau) as url:
        bank = directory.add_peer(bank.directory, "bureau", facts_of(bureau) | {"url": url})
        with LabelParty(bank) as party:
            party.align()
            watch.seconds = watch.cpu_seconds = 0.0
            began, worked = time.perf_counter(), time.process_time()
            party.train(name="m", params=TreeParams(n_estimators=trees, max_depth=5, max_bin=32))
            took, used = time.perf_counter() - began, time.process_time() - worked
    entries = [Ledger(database.connect(config)).head()[0] for config in (bank, bureau)]
    return {
        "rows": rows,
        "trees": trees,
        "train_seconds": round(took, 3),
        "ledger_seconds": round(watch.seconds, 3),
        "share": round(watch.seconds / took, 5),
        "train_cpu_seconds": round(used, 3),
        "ledger_cpu_seconds": round(watch.cpu_seconds, 3),
        "cpu_share": round(watch.cpu_seconds / used, 5),
        "entries": dict(zip(("bank", "bureau"), entries, strict=True)),
    }


@click.command()
@click.option("--rows", default=6_000, show_default=True, help="Rows of both parties.")
@click.option("--trees", default=6, show_default=True, help="Trees to train.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there.")
def main(rows: int, trees: int, file: Path | None) -> None:
    """Measure what the ledgers of both parties cost a training."""
    os.environ.setdefault("VFL_PASSWORD", "benchmark")
    with tempfile.TemporaryDirectory(prefix="vfl-") as home:
        found = json.dumps(measure(Path(home), rows, trees), indent=2)
    click.echo(found)
    if file:
        file.write_text(found + "\n")


if __name__ == "__main__":
    main()
